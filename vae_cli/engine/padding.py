"""Padding of smaller codes, so that runs of several code sizes fit into one pack."""

from collections.abc import Sequence

import torch
from torch import Tensor


def pad_latent(tensor: Tensor, size: int, largest: int, shape: Sequence[int]) -> Tensor:
    """Pads the units that a code of `size` units lacks of `largest` with zeros, along each axis that is shorter than in
    `shape`. Such an axis has one number for each unit, or several blocks of them (means, then log_stds)."""
    for axis, (has, wanted) in enumerate(zip(tensor.shape, shape, strict=True)):
        if has != wanted:
            blocks = tensor.unflatten(axis, (has // size, size))
            zeros = blocks.new_zeros((*blocks.shape[: axis + 1], largest - size, *blocks.shape[axis + 2 :]))
            tensor = torch.cat([blocks, zeros], axis + 1).flatten(axis, axis + 1)
    return tensor
