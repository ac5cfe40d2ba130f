"""Splits and data sets: pixels, limits, excluded classes, placement."""

import pytest
import torch
from torch import Generator

from vae_cli.data.dataset import Dataset, Split
from vae_cli.errors import UserError

CPU = torch.device("cpu")


def digits(train: list[int] | None, validation: list[int] | None, test: list[int] | None) -> Dataset:
    """Images of two pixels with these labels; None means two images without labels. Pixels count up from 0."""

    def split(labels: list[int] | None) -> Split:
        n = 2 if labels is None else len(labels)
        images = torch.arange(2 * n, dtype=torch.uint8).reshape(n, 2)
        return Split(images, None if labels is None else torch.tensor(labels))

    return Dataset(split(train), split(validation), split(test), (1, 1, 2))


def test_limit_takes_the_first_images_of_each_split():
    data = digits([4, 5, 6, 7], [1], [2, 3])
    assert data.limit(None) is data
    first = data.limit(3)
    assert {name: split.labels.tolist() for name, split in first.splits.items()} == {
        "train": [4, 5, 6],
        "validation": [1],
        "test": [2, 3],
    }
    assert torch.equal(first.train.images, data.train.images[:3])


def test_excluded_classes_leave_every_split():
    data = digits([4, 5, 4, 6], [4], [5, 4])
    assert data.without([]) is data
    rest = data.without([4, 6])
    assert [split.labels.tolist() for split in rest.splits.values()] == [[5], [], [5]]
    assert torch.equal(rest.train.images, data.train.images[1:2])
    assert torch.equal(rest.test.images, data.test.images[:1])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (digits([1, 2], [1], [2]), r"there is no class 7; the data has \[1, 2\]"),
        (digits(None, None, None), "needs labelled data, and the train images have no labels"),
        (digits([1, 7], [1], None), "needs labelled data, and the test images have no labels"),
    ],
    ids=["unknown class", "no labels", "no test labels"],
)
def test_classes_that_cannot_be_excluded_are_refused(data, words):
    with pytest.raises(UserError, match=rf"data\.exclude_classes.*{words}"):
        data.without([7])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_pixels_are_the_stored_images_times_the_scale(dtype, scale):
    """The stored images do not change, whether or not the type does."""
    stored = torch.arange(6, dtype=dtype).reshape(3, 2)
    split = Split(stored.clone())
    data = Dataset(split, split, split, (1, 1, 2), scale)
    for wanted in (torch.float32, torch.float64):
        x = data.pixels(data.train.images, wanted)
        assert x.dtype == wanted and torch.equal(x, stored.to(wanted) * scale)
    assert torch.equal(data.train.images, stored)


def test_targets_are_the_pixels_unless_they_are_redrawn():
    split = Split(torch.tensor([[0, 51, 255]] * 100, dtype=torch.uint8))
    data = Dataset(split, split, split, (1, 1, 3), 1 / 255)
    x = data.pixels(split.images, torch.float64)
    assert torch.equal(data.targets(split.images, Generator(), torch.float64), x)
    drawn = data._replace(redraw=True).targets(split.images, Generator().manual_seed(0), torch.float64)
    assert torch.equal(drawn[:, [0, 2]], x[:, [0, 2]]) and drawn[:, 1].unique().tolist() == [0, 1]


@pytest.mark.parametrize("placement", ["auto", "device", "host"])
def test_placement_decides_what_is_copied(placement):
    """ "host" leaves everything where it is; "auto" copies to any device but CUDA."""
    moved = digits([1, 2], [], None).to(torch.device("meta"), placement)
    where = "cpu" if placement == "host" else "meta"
    assert {split.images.device.type for split in moved.splits.values()} == {where}
    assert moved.train.labels.device.type == where and moved.test.labels is None
