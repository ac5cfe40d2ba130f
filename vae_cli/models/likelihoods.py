"""Likelihoods: how the decoder's output becomes p(x|z) over pixels."""

from typing import Protocol

import torch
from torch import Tensor

from vae_cli.models.continuous_bernoulli import ContinuousBernoulli
from vae_cli.models.distributions import Bernoulli, Normal
from vae_cli.models.softplus import softplus


class Observation(Protocol):
    """p(x|z) over pixels."""

    @property
    def mean(self) -> Tensor:
        """[..., D]"""

    def log_prob(self, value: Tensor) -> Tensor:
        """Of each pixel, [..., D]."""

    def pairwise_log_prob(self, values: Tensor) -> Tensor:
        """log_prob of each of M images [M, D] under each of these N distributions, summed over pixels: [M, N]."""

    def quantile(self, probability: Tensor) -> Tensor:
        """The inverse of the distribution function of each pixel."""


class Likelihood(Protocol):
    """The decoder's output as a distribution over pixels."""

    outputs_per_pixel: int  # numbers that a pixel needs
    support: tuple[float, float] | None  # of x; None: the real line
    is_discrete: bool

    def __call__(self, h: Tensor) -> Observation:
        """h [..., D · outputs_per_pixel] → p(x|z)."""

    def bias(self, mean: Tensor) -> Tensor:
        """The output bias with which an untrained decoder returns the mean image [D]."""


class BernoulliLikelihood:
    """x ~ Ber(sigmoid(logits)): black and white pixels. For grey pixels, `log_prob` is minus a cross-entropy."""

    outputs_per_pixel = 1
    support: tuple[float, float] | None = (0.0, 1.0)
    is_discrete = True

    def __call__(self, h: Tensor) -> Bernoulli:
        return Bernoulli(h)

    def bias(self, mean: Tensor) -> Tensor:
        return mean.clamp(0.001, 0.999).logit()


class ContinuousBernoulliLikelihood:
    """x ~ CB(logits): a density for grey pixels in [0, 1]."""

    outputs_per_pixel = 1
    support: tuple[float, float] | None = (0.0, 1.0)
    is_discrete = False

    def __call__(self, h: Tensor) -> ContinuousBernoulli:
        return ContinuousBernoulli(h)

    def bias(self, mean: Tensor) -> Tensor:
        """The logits with this mean, ½ + ½ L(logits / 2) where L is Langevin's function, within 5 %:
        "A Padé approximant to the inverse Langevin function" (Cohen, 1991)."""
        y = 2 * mean.clamp(0.01, 0.99) - 1
        return 2 * y * (3 - y.square()) / (1 - y.square())


class UnitGaussianLikelihood:
    """x ~ N(mean, 1): squared error with its constant, ½ D log 2π."""

    outputs_per_pixel = 1
    support: tuple[float, float] | None = None
    is_discrete = False

    def __call__(self, h: Tensor) -> Normal:
        return Normal(h, h.new_zeros(()))

    def bias(self, mean: Tensor) -> Tensor:
        return mean


class GaussianLikelihood:
    """x ~ N(mean, std²) with a learned std for each pixel.

    Without a lower bound on log_std the likelihood is unbounded: a pixel that is constant in the training set drives
    it to infinity. `min_log_std` is that bound, approached smoothly so that the gradient does not vanish:
    log_std = bound + softplus(h − bound). None removes it.
    """

    outputs_per_pixel = 2
    support: tuple[float, float] | None = None
    is_discrete = False

    def __init__(self, min_log_std: float | None) -> None:
        self.min_log_std = min_log_std

    def __call__(self, h: Tensor) -> Normal:
        """h [..., 2D]: the first half is the mean, the second log_std."""
        mean, log_std = h.chunk(2, -1)
        if self.min_log_std is None:
            return Normal(mean, log_std)
        return Normal(mean, self.min_log_std + softplus(log_std - self.min_log_std))

    def bias(self, mean: Tensor) -> Tensor:
        return torch.cat([mean, torch.zeros_like(mean)], -1)
