"""Omniglot from its MATLAB file, and files that are something else."""

import gzip

import numpy as np
import pytest
import torch
from data.omniglot_file import write_chardata
from scipy.io import savemat

from vae_cli.data import omniglot as module
from vae_cli.data.omniglot import omniglot
from vae_cli.errors import UserError


def test_images_stand_upright_with_their_alphabets(tmp_path):
    """A column of the file runs down the columns of its image, as MATLAB stores it."""
    written = write_chardata(tmp_path)
    data = omniglot(str(tmp_path), "none", 0)
    assert data.shape == (1, 28, 28) and data.scale == 1 and not data.redraw
    assert np.allclose(data.test.images.reshape(-1, 28, 28), written["testdata"], atol=1e-7)
    assert data.test.labels.tolist() == written["testtarget"].tolist()
    order = np.random.RandomState(123).permutation(40)
    assert np.allclose(data.train.images.reshape(-1, 28, 28), written["data"][order], atol=1e-7)
    assert data.train.labels.tolist() == written["target"][order].tolist()


def test_the_published_split_is_a_fixed_permutation(tmp_path):
    """The last of the permuted images are for validation, whatever `validation_size` is."""
    write_chardata(tmp_path)
    whole, cut = omniglot(str(tmp_path), "none", 0), omniglot(str(tmp_path), "none", 15)
    assert torch.equal(cut.train.images, whole.train.images[:25])
    assert torch.equal(cut.validation.images, whole.train.images[25:])
    assert torch.equal(cut.validation.labels, whole.train.labels[25:])


def test_a_packed_file_is_read_in_place(tmp_path):
    write_chardata(tmp_path)
    plain = omniglot(str(tmp_path), "none", 10)
    path = tmp_path / "omniglot/chardata.mat"
    path.with_name("chardata.mat.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert torch.equal(omniglot(str(tmp_path), "none", 10).train.images, plain.train.images)


def test_binarizations(tmp_path):
    """Test images are drawn once, so that a bound on them can be compared; training images are drawn at each use."""
    write_chardata(tmp_path)
    grey = omniglot(str(tmp_path), "none", 10)
    first, second = (omniglot(str(tmp_path), "dynamic", 10) for _ in range(2))
    assert first.redraw and torch.equal(first.train.images, grey.train.images)
    for name in ("validation", "test"):
        drawn = first.splits[name].images
        assert torch.equal(drawn, second.splits[name].images) and drawn.unique().tolist() == [0, 1]
        # white with the probability that the pixel says: the mean of 7,840 pixels of variance below ¼
        assert abs(float(drawn.float().mean() - grey.splits[name].images.mean())) < 4 * 0.5 / 7840**0.5
    black_and_white = omniglot(str(tmp_path), "threshold", 10)
    assert torch.equal(black_and_white.train.images, (grey.train.images > 0.5).to(torch.uint8))


@pytest.mark.parametrize("size", [40, 1345])
def test_validation_size_must_leave_training_images(tmp_path, size):
    write_chardata(tmp_path)
    with pytest.raises(UserError, match=rf"data\.validation_size={size} .*allowed are 0 to 39"):
        omniglot(str(tmp_path), "none", size)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "has no array 'data'"),
        ({"data": np.zeros((784, 3))}, "has no array 'target'"),
        ({"data": np.zeros((100, 3)), "target": np.zeros((50, 3))}, r"'data' has shape \(100, 3\)"),
        ({"data": np.zeros((784, 3)), "target": np.zeros((50, 4))}, r"'target' \(50, 4\)"),
        ({"data": np.full((784, 3), 255.0), "target": np.zeros((50, 3))}, "outside of 0 to 1"),
        ({"data": np.full((784, 3), np.nan), "target": np.zeros((50, 3))}, "outside of 0 to 1"),
        (
            {"data": np.full((784, 3), "a"), "target": np.zeros((50, 3))},
            "is not Omniglot's|outside of 0 to 1",
        ),
    ],
)
def test_another_matlab_file_is_named(tmp_path, arrays, words):
    (tmp_path / "omniglot").mkdir()
    savemat(tmp_path / "omniglot/chardata.mat", arrays)
    with pytest.raises(UserError, match=rf"chardata\.mat .*{words}"):
        omniglot(str(tmp_path), "none", 0)


@pytest.mark.parametrize("content", [b"", b"MATLAB", b"<html>not found</html>" * 100])
def test_a_file_that_is_no_matlab_file_is_named(tmp_path, content):
    (tmp_path / "omniglot").mkdir()
    (tmp_path / "omniglot/chardata.mat").write_bytes(content)
    with pytest.raises(UserError, match=r"chardata\.mat is no MATLAB file, or corrupt .*delete it"):
        omniglot(str(tmp_path), "none", 0)


def test_a_cut_off_file_is_named(tmp_path):
    write_chardata(tmp_path)
    path = tmp_path / "omniglot/chardata.mat"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(UserError, match=r"chardata\.mat is no MATLAB file, or corrupt"):
        omniglot(str(tmp_path), "none", 0)


def test_without_file_and_network_the_folder_and_the_key_are_named(tmp_path, monkeypatch):
    nowhere = module.SOURCE._replace(mirrors=("http://127.0.0.1:9/",))
    monkeypatch.setattr(module, "SOURCE", nowhere)
    with pytest.raises(UserError, match=r"omniglot lacks chardata\.mat, .*data\.root=FOLDER"):
        omniglot(str(tmp_path), "dynamic", 1345)
    assert not list(tmp_path.iterdir())
