"""Random rectangles: their images, probabilities, entropy and seeds."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from data.z_scores import Z, chi_square_z

from vae_cli.data.dataset import Dataset
from vae_cli.data.rectangles import entropy, rectangles

SQUARES = {"height": 24, "width": 24, "rectangle_height": (9, 9), "rectangle_width": (9, 9)}
SMALL = {"height": 5, "width": 4, "rectangle_height": (2, 3), "rectangle_width": (1, 4)}
DEFAULT = {"height": 24, "width": 24, "rectangle_height": (4, 12), "rectangle_width": (4, 12)}


def make(shape: dict, train: int = 300, validation: int = 100, test: int = 100, seed: int = 0) -> Dataset:
    return rectangles(**shape, train_size=train, validation_size=validation, test_size=test, seed=seed)


def enumerated(height: int, width: int, heights: tuple[int, int], widths: tuple[int, int]) -> dict:
    """Every possible image and its probability, by enumerating the definition."""
    found: Counter = Counter()
    sizes = [*itertools.product(range(heights[0], heights[1] + 1), range(widths[0], widths[1] + 1))]
    for h, w in sizes:
        corners = [*itertools.product(range(height - h + 1), range(width - w + 1))]
        for top, left in corners:
            image = np.zeros((height, width), np.uint8)
            image[top : top + h, left : left + w] = 1
            found[image.tobytes()] += 1 / len(sizes) / len(corners)
    return dict(found)


@pytest.mark.parametrize("shape", [SMALL, DEFAULT, SQUARES], ids=["small", "default", "squares"])
def test_each_image_is_one_filled_rectangle_within_the_ranges(shape):
    """Its bounding box is filled, its height and width are in the ranges, and both ends of each range occur."""
    images = make(shape).train.images.reshape(-1, shape["height"], shape["width"])
    assert images.dtype == torch.uint8
    seen = {"height": set(), "width": set()}
    for image in images:
        rows, columns = image.any(1).nonzero().flatten(), image.any(0).nonzero().flatten()
        h, w = (int(side[-1] - side[0]) + 1 for side in (rows, columns))
        assert int(image.sum()) == h * w and image.max() == 1
        seen["height"].add(h)
        seen["width"].add(w)
    for side, lengths in seen.items():
        low, high = shape[f"rectangle_{side}"]
        assert lengths == set(range(low, high + 1))


@pytest.mark.parametrize("shape", [SMALL, SQUARES], ids=["small", "squares"])
def test_entropy_is_that_of_the_enumerated_distribution(shape):
    probabilities = np.array([*enumerated(*shape.values()).values()])
    assert probabilities.sum() == pytest.approx(1)
    brute = -(probabilities * np.log(probabilities)).sum()
    assert entropy(*shape.values()) == pytest.approx(brute, abs=1e-12)
    assert make(shape).entropy == pytest.approx(brute, abs=1e-12)


def test_squares_are_256_images_of_entropy_ln_256():
    assert len(enumerated(*SQUARES.values())) == 256
    assert entropy(*SQUARES.values()) == pytest.approx(math.log(256), abs=1e-12)


@pytest.mark.parametrize("shape", [SMALL, SQUARES], ids=["small", "squares"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_images_have_the_stated_probabilities(shape, split):
    """Chi-square over all possible images."""
    n = 20_000
    images = getattr(make(shape, train=n, test=n), split).images.numpy()
    counts = Counter(image.tobytes() for image in images)
    probability = enumerated(*shape.values())
    assert counts.keys() <= probability.keys()
    observed = np.array([counts[image] for image in probability])
    assert abs(chi_square_z(observed, n * np.array([*probability.values()]))) < Z


def test_same_seed_same_data_another_seed_other_data():
    a, b, c = make(DEFAULT), make(DEFAULT), make(DEFAULT, seed=1)
    for split in ("train", "validation", "test"):
        assert torch.equal(getattr(a, split).images, getattr(b, split).images)
        assert not torch.equal(getattr(a, split).images, getattr(c, split).images)


def test_splits_are_drawn_independently_of_each_other():
    """Two splits have the same of 256 squares at the same index as often as chance predicts."""
    n = 20_000
    data = make(SQUARES, train=n, validation=n, test=n)
    for a, b in itertools.combinations((data.train, data.validation, data.test), 2):
        same = (a.images == b.images).all(1).double().mean().item()
        p = 1 / 256
        assert abs(same - p) < Z * math.sqrt(p * (1 - p) / n)


def test_test_images_come_from_their_own_seed():
    """They do not change with the size of the other splits."""
    a, b = make(DEFAULT, train=10, validation=0), make(DEFAULT, train=500, validation=50)
    assert torch.equal(a.test.images, b.test.images)
    assert len(a.validation.images) == 0
