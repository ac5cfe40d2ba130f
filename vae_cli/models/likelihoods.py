"""Likelihoods: how the decoder's output becomes p(x|z) over pixels.

Each states how many numbers a pixel needs, the support of x (None: the real line), and the bias that makes
an untrained decoder answer with the training set's mean image.
"""

import torch
from torch import Tensor

from vae_cli.models.distributions import Bernoulli, ContinuousBernoulli, Normal, softplus


class BernoulliLikelihood:
    """x ~ Ber(sigmoid(logits)): black and white pixels. On grey pixels it is a cross-entropy instead."""

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

    Without a floor on log_std the likelihood is unbounded: a pixel that is constant in the training set
    drives it to infinity. `min_log_std` is that floor, approached smoothly so that its gradient never dies:
    log_std = floor + softplus(h − floor). None lifts it.
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


Likelihood = BernoulliLikelihood | ContinuousBernoulliLikelihood | UnitGaussianLikelihood | GaussianLikelihood
Observation = Bernoulli | ContinuousBernoulli | Normal
