"""Black and white images: by a threshold, redrawn at each use, and from the published files."""

import gzip

import pytest
import torch
from conftest import SUBSET
from data.published_files import AMAT_FILES, raw_images, write_amat
from data.z_scores import Z
from torch import Generator

from vae_cli.data.dataset import Dataset
from vae_cli.data.mnist import mnist
from vae_cli.data.support import is_binary
from vae_cli.errors import UserError


def digits(binarization: str, validation_size: int = 100) -> Dataset:
    return mnist(str(SUBSET), "MNIST", binarization, validation_size)


def test_threshold_is_at_one_half():
    data = digits("threshold")
    for split, name, part in (
        (data.train, "train", slice(0, 300)),
        (data.validation, "train", slice(300, 400)),
        (data.test, "t10k", slice(None)),
    ):
        expected = raw_images(f"{name}-images-idx3-ubyte")[part].double() / 255 > 0.5
        assert torch.equal(data.pixels(split.images, torch.float32), expected.float())


def test_dynamic_training_pixels_are_redrawn_with_their_intensity_as_probability():
    """Σz² over pixels is about their number, within the exact fourth moment of the binomial. 0 and 1 stay."""
    data = digits("dynamic")
    images, draws, generator = data.train.images[:20], 200, Generator().manual_seed(0)
    x = [data.targets(images, generator, torch.float64) for _ in range(draws)]
    assert not torch.equal(x[0], x[1])
    total = torch.stack(x)
    assert ((total == 0) | (total == 1)).all()
    p = images.double() / 255
    grey = (p > 0) & (p < 1)
    mean, p_grey = total.mean(0)[grey], p[grey]
    assert torch.equal(total.mean(0)[~grey], p[~grey])
    variance = p_grey * (1 - p_grey)
    squares = (mean - p_grey) ** 2 / (variance / draws)
    spread = (2 + (1 - 6 * variance) / (draws * variance)).sum().sqrt()
    assert abs(squares.sum() - len(squares)) < Z * spread
    assert abs((mean - p_grey).sum()) < Z * (variance / draws).sum().sqrt()


def test_dynamic_validation_and_test_are_drawn_once():
    """Every load gives the same black and white images, with the right mean. Each split has its own stream."""
    a, b = digits("dynamic", 100), digits("dynamic", 50)
    assert a.redraw and torch.equal(a.test.images, b.test.images)
    assert torch.equal(a.validation.images, digits("dynamic", 100).validation.images)
    for split, grey in (
        (a.validation, raw_images("train-images-idx3-ubyte")[300:]),
        (a.test, raw_images("t10k-images-idx3-ubyte")),
    ):
        x, p = a.pixels(split.images, torch.float64), grey.double() / 255
        assert ((x == 0) | (x == 1)).all()
        assert torch.equal(x[(p == 0) | (p == 1)], p[(p == 0) | (p == 1)])
        assert abs((x - p).sum()) < Z * (p * (1 - p)).sum().sqrt()


@pytest.mark.parametrize("packed", [False, True])
def test_fixed_binarization_reads_the_published_format(tmp_path, packed):
    folder = tmp_path / "binarized_mnist"
    pixels = write_amat(folder)
    if packed:
        for name in AMAT_FILES:
            (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes(), 1))
            (folder / name).unlink()
    data = mnist(str(tmp_path), "MNIST", "fixed", 10_000)
    for split, expected in zip(data.splits.values(), pixels, strict=True):
        assert torch.equal(data.pixels(split.images, torch.float32), torch.from_numpy(expected).float())
        assert split.labels is None
    assert data.shape == (1, 28, 28) and is_binary(data) and not data.redraw


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda content: content[:-100], "truncated or corrupt"),
        (lambda content: b"", "truncated or corrupt"),
        (lambda content: content.replace(b"1", b"2", 1), "other pixels than 0 and 1"),
    ],
    ids=["truncated", "empty", "a digit 2"],
)
def test_a_corrupt_file_is_named(tmp_path, spoil, words):
    write_amat(tmp_path / "binarized_mnist")
    file = tmp_path / "binarized_mnist/binarized_mnist_valid.amat"
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(UserError, match=words) as error:
        mnist(str(tmp_path), "MNIST", "fixed", 100)
    assert str(file) in str(error.value)
