"""Random axis-aligned filled rectangles on a blank image: a data set whose entropy is known exactly."""

import math

import numpy as np
import torch

from vae_cli.data.dataset import Dataset, Split


def rectangles(
    height: int,
    width: int,
    rectangle_height: tuple[int, int],
    rectangle_width: tuple[int, int],
    train_size: int,
    validation_size: int,
    test_size: int,
    seed: int,
) -> Dataset:
    """Images [1, height, width], each with one rectangle of ones.

    The rectangle's height and width are uniform over the inclusive ranges, and its corner is uniform over all
    places where it fits. Each split has its own seed, (seed, 0 | 1 | 2), so that the test images are new draws
    from the same distribution, independent of the training images.
    """
    sizes = (train_size, validation_size, test_size)
    train, validation, test = (
        Split(_draw(n, height, width, rectangle_height, rectangle_width, np.random.default_rng([seed, i])))
        for i, n in enumerate(sizes)
    )
    floor = entropy(height, width, rectangle_height, rectangle_width)
    return Dataset(train, validation, test, (1, height, width), entropy=floor)


def entropy(height: int, width: int, heights: tuple[int, int], widths: tuple[int, int]) -> float:
    """H[x] in nats. Each (height, width, corner) gives another image, so the entropies add up:
    log(number of sizes) + E[log(number of corners) | size]."""

    def side(total: int, low: int, high: int) -> float:
        sizes = range(low, high + 1)
        return math.log(len(sizes)) + sum(math.log(total - s + 1) for s in sizes) / len(sizes)

    return side(height, *heights) + side(width, *widths)


def _draw(
    n: int,
    height: int,
    width: int,
    heights: tuple[int, int],
    widths: tuple[int, int],
    rng: np.random.Generator,
) -> torch.Tensor:
    """n images [n, height · width], uint8 zeros and ones."""

    def span(total: int, low: int, high: int) -> np.ndarray:
        """Which rows (or columns) the rectangle covers, bool [n, total]."""
        length = rng.integers(low, high + 1, n)
        start = rng.integers(0, total - length + 1)
        place = np.arange(total)
        return (place >= start[:, None]) & (place < (start + length)[:, None])

    rows, columns = span(height, *heights), span(width, *widths)
    images = rows[:, :, None] & columns[:, None, :]
    return torch.from_numpy(images.reshape(n, height * width).view(np.uint8))
