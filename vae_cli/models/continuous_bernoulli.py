"""A density on [0, 1] for grey pixels."""

from typing import NamedTuple

import torch
from torch import Tensor


class ContinuousBernoulli(NamedTuple):
    """The density on [0, 1] proportional to exp(logits · value).

    "The continuous Bernoulli" (Loaiza-Ganem and Cunningham, 2019), arXiv:1907.06845. In terms of h = logits / 2, its
    normalizing constant is log(sinh(h) / h) + h, which cancels near h = 0 (λ = ½ in the paper).
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """½ + ½ (coth h − 1/h), or its Taylor series where that difference cancels."""
        half = 0.5 * self.logits
        far = half.abs() > 0.25
        safe = torch.where(far, half, torch.ones_like(half))
        square = half.square()
        near = half * (1 / 3 - square * (1 / 45 - square * (2 / 945 - square / 4725)))
        return 0.5 + 0.5 * torch.where(far, 1 / safe.tanh() - 1 / safe, near)

    def log_prob(self, value: Tensor) -> Tensor:
        return (value - 0.5) * self.logits - _log_sinhc(0.5 * self.logits)

    def pairwise_log_prob(self, values: Tensor) -> Tensor:
        """log_prob of each of `values` [M, D] under each of these N distributions, summed over D: [M, N]."""
        logits = self.logits.double()
        product = (values.double() - 0.5) @ logits.mT
        return (product - _log_sinhc(0.5 * logits).sum(-1)).to(values.dtype)

    def quantile(self, probability: Tensor) -> Tensor:
        """The inverse of the distribution function, log(1 + u (exp(logits) − 1)) / logits, or u itself near logits 0.

        The symmetry value ↔ 1 − value leaves only exponentials of negative numbers, so that nothing overflows."""
        far = self.logits.abs() > 1e-3
        magnitude = torch.where(far, self.logits.abs(), torch.ones_like(self.logits))
        u = torch.where(self.logits > 0, 1 - probability, probability)
        low = -torch.log1p(u * torch.expm1(-magnitude)) / magnitude  # for logits = −magnitude
        near = probability + 0.5 * self.logits * probability * (1 - probability)
        return torch.where(far, torch.where(self.logits > 0, 1 - low, low), near).clamp(0, 1)


def _log_sinhc(h: Tensor) -> Tensor:
    """log(sinh(h) / h), even in h; finite in value and gradient from 0 to the largest logits."""
    magnitude = h.abs()
    far = magnitude > 0.25
    safe = torch.where(far, magnitude, torch.ones_like(h))
    square = h.square()
    near = square * (1 / 6 - square * (1 / 180 - square * (1 / 2835 - square / 37800)))
    return torch.where(far, safe + torch.log(-torch.expm1(-2 * safe) / (2 * safe)), near)
