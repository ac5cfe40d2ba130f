"""Padding of codes with units that have no effect."""

import pytest
import torch

from vae_cli.engine.padding import pad_latent


@pytest.mark.parametrize(
    ("tensor", "shape", "expected"),
    [
        ([1, 2], (3,), [1, 2, 0]),
        ([1, 2, 3, 4], (6,), [1, 2, 0, 3, 4, 0]),  # two blocks: means, then log-variances
        ([[1, 2], [3, 4]], (2, 3), [[1, 2, 0], [3, 4, 0]]),
        ([[1], [2], [3], [4]], (6, 1), [[1], [2], [0], [3], [4], [0]]),
        ([1, 2], (2,), [1, 2]),
    ],
)
def test_zeros_are_added_to_each_block(tensor, shape, expected):
    """A code of 2 units among codes of 3."""
    assert pad_latent(torch.tensor(tensor), 2, 3, shape).tolist() == expected


def test_the_gradient_of_the_padding_is_dropped():
    tensor = torch.ones(4, requires_grad=True)
    (pad_latent(tensor, 2, 3, (6,)) * torch.arange(6.0)).sum().backward()
    assert tensor.grad.tolist() == [0, 1, 3, 4]
