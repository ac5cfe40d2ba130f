"""MNIST and Fashion-MNIST from IDX files, and files that are corrupt."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SUBSET
from data.published_files import RAW, contents, raw_images

from vae_cli.data.mnist import IDX_FILES, mnist
from vae_cli.errors import UserError


@pytest.fixture
def raw(tmp_path) -> Path:
    """A copy of the subset's files that a test may spoil; its data root is `tmp_path`."""
    return Path(shutil.copytree(RAW, tmp_path / "MNIST/raw"))


@pytest.mark.parametrize("validation_size", [0, 1, 100, 399])
def test_mnist_is_grey_and_validates_on_the_end_of_the_file(validation_size):
    """x = grey level / 255, in the order of the files, the validation images last."""
    data = mnist(str(SUBSET), "MNIST", "none", validation_size)
    train, test = raw_images("train-images-idx3-ubyte"), raw_images("t10k-images-idx3-ubyte")
    cut = 400 - validation_size
    assert torch.equal(data.train.images, train[:cut])
    assert torch.equal(data.validation.images, train[cut:])
    assert torch.equal(data.test.images, test)
    assert data.shape == (1, 28, 28) and not data.redraw and data.entropy is None
    x = data.pixels(data.test.images, torch.float64)
    torch.testing.assert_close(x, test.double() / 255, rtol=1e-15, atol=0)
    assert x.max() == 1 and ((x > 0) & (x < 1)).any()
    labels = np.fromfile(RAW / "train-labels-idx1-ubyte", np.uint8, offset=8)
    assert [*data.train.labels, *data.validation.labels] == labels.tolist()
    assert data.train.labels.dtype == torch.int64


@pytest.mark.parametrize("validation_size", [400, 10_000])
def test_validation_size_must_leave_training_images(validation_size):
    with pytest.raises(UserError, match=rf"data\.validation_size={validation_size} .*allowed are 0 to 399"):
        mnist(str(SUBSET), "MNIST", "none", validation_size)


@pytest.mark.parametrize("binarization", ["none", "threshold", "dynamic"])
def test_fashion_mnist_has_the_same_format(tmp_path, binarization):
    shutil.copytree(RAW, tmp_path / "FashionMNIST/raw")
    ours = mnist(str(tmp_path), "FashionMNIST", binarization, 100)
    theirs = mnist(str(SUBSET), "MNIST", binarization, 100)
    for name, split in ours.splits.items():
        assert torch.equal(split.images, theirs.splits[name].images)


@pytest.mark.parametrize("packed", [IDX_FILES, IDX_FILES[:1]], ids=["all", "one"])
def test_packed_files_are_read_in_place(tmp_path, raw, packed):
    """NAME.gz is read like NAME, and no file is added, changed or removed."""
    for name in packed:
        (raw / f"{name}.gz").write_bytes(gzip.compress((raw / name).read_bytes()))
        (raw / name).unlink()
    before = contents(tmp_path)
    ours, theirs = (mnist(str(root), "MNIST", "none", 100) for root in (tmp_path, SUBSET))
    for name, split in ours.splits.items():
        assert torch.equal(split.images, theirs.splits[name].images)
        assert torch.equal(split.labels, theirs.splits[name].labels)
    assert contents(tmp_path) == before


CORRUPT = {
    "truncated": (lambda content: content[:-100], "truncated or corrupt"),
    "longer": (lambda content: content + b"\0", "truncated or corrupt"),
    "empty": (lambda content: b"", "no IDX file"),
    "half a header": (lambda content: content[:6], "no IDX file"),
    "a web page": (lambda content: b"<html>not found</html>" * 40, "no IDX file"),
    "still gzipped": (gzip.compress, "no IDX file"),
}


@pytest.mark.parametrize("name", IDX_FILES)
@pytest.mark.parametrize("kind", CORRUPT)
def test_a_corrupt_file_is_named(tmp_path, raw, name, kind):
    spoil, words = CORRUPT[kind]
    (raw / name).write_bytes(spoil((raw / name).read_bytes()))
    with pytest.raises(UserError, match=words) as error:
        mnist(str(tmp_path), "MNIST", "none", 100)
    assert str(raw / name) in str(error.value) and "delete it" in str(error.value)


@pytest.mark.parametrize(
    "spoil", [lambda content: content[:-100], lambda content: b"<html>", lambda content: b""],
    ids=["truncated", "a web page", "empty"],
)  # fmt: skip
def test_a_corrupt_packed_file_is_named(tmp_path, raw, spoil):
    name = IDX_FILES[0]
    (raw / f"{name}.gz").write_bytes(spoil(gzip.compress((raw / name).read_bytes())))
    (raw / name).unlink()
    with pytest.raises(UserError, match=r"delete it") as error:
        mnist(str(tmp_path), "MNIST", "none", 100)
    assert str(raw / f"{name}.gz") in str(error.value)


def test_as_many_labels_as_images_are_needed(tmp_path, raw):
    shutil.copy(raw / "t10k-labels-idx1-ubyte", raw / "train-labels-idx1-ubyte")
    with pytest.raises(UserError, match=r"corrupt: \[400, 100\] images, \[100, 100\] labels"):
        mnist(str(tmp_path), "MNIST", "none", 100)


def test_images_must_be_28_by_28(tmp_path, raw):
    content = (raw / "t10k-images-idx3-ubyte").read_bytes()
    (raw / "t10k-images-idx3-ubyte").write_bytes(
        content[:8] + bytes([0, 0, 0, 14, 0, 0, 0, 56]) + content[16:]
    )
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte is corrupt: its images are 14×56"):
        mnist(str(tmp_path), "MNIST", "none", 100)
