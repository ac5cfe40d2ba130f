"""Corruption of the encoder's input while the target stays clean: the denoising criterion.

"Denoising Criterion for Variational Auto-Encoding Framework" (Im et al., 2017), arXiv:1511.06406. Each corruption
is a function of (x [B, D], generator). It is used in training only: the encoder of a trained model sees clean images.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor


class Corruption(Protocol):
    def __call__(self, x: Tensor, generator: Generator) -> Tensor: ...


class Clean(NamedTuple):
    """x itself."""

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
        return x * (_uniform_like(x, generator) >= self.fraction)


class SaltAndPepper(NamedTuple):
    """Each pixel is replaced with probability `fraction`, by 0 or 1 with equal probability."""

    fraction: float

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        uniform = _uniform_like(x, generator)
        salt = (uniform < 0.5 * self.fraction).to(x.dtype)  # the lower half of the replaced pixels becomes 1
        return torch.where(uniform < self.fraction, salt, x)


def _uniform_like(x: Tensor, generator: Generator) -> Tensor:
    return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
