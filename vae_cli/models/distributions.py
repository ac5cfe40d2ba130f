"""Distributions over codes and pixels, as named tuples of tensors: no state, no clamps, everything in log space.

`sample` takes its noise as an argument. `log_prob` and `kl` are per element, so that each unit can be inspected; the
caller sums over the event (`.sum(-1)`). The tests compare them with `torch.distributions`.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_cli.models.softplus import softplus

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class Normal(NamedTuple):
    """N(mean, exp(log_std)²) for each element; the two tensors have one shape or broadcast."""

    mean: Tensor
    log_std: Tensor

    @property
    def mode(self) -> Tensor:
        return self.mean

    def sample(self, noise: Tensor) -> Tensor:
        """`noise` is standard normal; the result is differentiable in mean and log_std."""
        return self.mean + self.log_std.exp() * noise

    def log_prob(self, value: Tensor) -> Tensor:
        standardized = (value - self.mean) * (-self.log_std).exp()
        return -0.5 * standardized.square() - self.log_std - HALF_LOG_TWO_PI

    def pairwise_log_prob(self, values: Tensor) -> Tensor:
        """See `Posterior`. Three matrix products, in float64 because the squares of narrow distributions cancel."""
        mean, log_std = (t.double() for t in torch.broadcast_tensors(*self))
        precision, wide = (-2 * log_std).exp(), values.double()
        quadratic = wide.square() @ precision.mT - 2 * wide @ (mean * precision).mT
        constant = (-0.5 * mean.square() * precision - log_std - HALF_LOG_TWO_PI).sum(-1)
        return (constant - 0.5 * quadratic).to(values.dtype)

    def quantile(self, probability: Tensor) -> Tensor:
        """The inverse of the distribution function."""
        return self.mean + self.log_std.exp() * torch.special.ndtri(probability)

    def kl(self, prior: "Normal") -> Tensor:
        log_ratio = self.log_std - prior.log_std
        shift = (self.mean - prior.mean) * (-prior.log_std).exp()
        return 0.5 * (torch.expm1(2 * log_ratio) + shift.square()) - log_ratio


class Bernoulli(NamedTuple):
    """P(value = 1) = sigmoid(logits) for each element.

    `log_prob` also accepts values inside [0, 1]. Then it is minus the cross-entropy, which is not a log-density.
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()

    @property
    def mode(self) -> Tensor:
        return (self.logits > 0).to(self.logits.dtype)

    def sample(self, noise: Tensor) -> Tensor:
        """Hard samples, 0 or 1, from standard logistic noise: P(logits + noise > 0) = sigmoid(logits)."""
        return (self.logits + noise > 0).to(self.logits.dtype)

    def relaxed_sample(self, noise: Tensor, temperature: Tensor | float) -> Tensor:
        """The binary Concrete sample from the same noise, inside (0, 1). It tends to the hard sample as temperature → 0.

        "The Concrete Distribution" (Maddison et al., 2017), arXiv:1611.00712.
        """
        return ((self.logits + noise) / temperature).sigmoid()

    def with_mean(self, mean: Tensor) -> Tensor:
        """`mean` [...], which moves with the logits as the mean of a distribution with this mean does."""
        return mean + mean * (1 - mean) * (self.logits - self.logits.detach())

    def log_prob(self, value: Tensor) -> Tensor:
        return (value * self.logits).sub_(softplus(self.logits))  # in place: saves one large temporary

    def pairwise_log_prob(self, values: Tensor) -> Tensor:
        """See `Posterior`. One matrix product, in float64 because its two large sums cancel."""
        logits = self.logits.double()
        return (values.double() @ logits.mT - softplus(logits).sum(-1)).to(values.dtype)

    def quantile(self, probability: Tensor) -> Tensor:
        """The inverse of the distribution function: 1 with probability `mean` where `probability` is uniform."""
        return self.sample(probability.logit())

    def kl(self, prior: "Bernoulli") -> Tensor:
        difference = self.logits - prior.logits
        return self.mean * difference - softplus(self.logits) + softplus(prior.logits)


class Delta(NamedTuple):
    """All mass on one value: the code of a plain auto-encoder. It has no density."""

    value: Tensor

    @property
    def mean(self) -> Tensor:
        return self.value

    @property
    def mode(self) -> Tensor:
        return self.value

    def sample(self, noise: Tensor) -> Tensor:
        return self.value + torch.zeros_like(noise)

    def log_prob(self, value: Tensor) -> Tensor:
        raise TypeError("a Delta has no density: the code of a plain auto-encoder is not random")

    def pairwise_log_prob(self, values: Tensor) -> Tensor:
        return self.log_prob(values)
