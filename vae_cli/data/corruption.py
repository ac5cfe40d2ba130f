"""Corruption of what the encoder sees while the target stays clean: the denoising criterion.

"Denoising Criterion for Variational Auto-Encoding Framework" (Im et al., 2017), arXiv:1511.06406. Each is a
function of (x [B, D], generator) and applies in training alone; the encoder of a trained model sees clean images.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor


def uniform_like(x: Tensor, generator: Generator) -> Tensor:
    return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)


class Clean(NamedTuple):
    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        return x


class GaussianNoise(NamedTuple):
    """x + std · N(0, 1)."""

    std: float

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        return x + self.std * torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


class Masking(NamedTuple):
    """Each pixel is set to 0 with probability `fraction`."""

    fraction: float

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        return x * (uniform_like(x, generator) >= self.fraction)


class SaltAndPepper(NamedTuple):
    """Each pixel is replaced by 0 or 1, equally likely, with probability `fraction`."""

    fraction: float

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        uniform = uniform_like(x, generator)
        salt = (uniform < 0.5 * self.fraction).to(x.dtype)  # the lower half of the replaced ones
        return torch.where(uniform < self.fraction, salt, x)


Corruption = Clean | GaussianNoise | Masking | SaltAndPepper
