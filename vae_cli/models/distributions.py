"""Distributions as named tuples of tensors: mathematics without state, without clamps and in log space.

`sample` takes its noise as an argument and never draws; `log_prob` and `kl` are per element, so that the
caller sums over the event (`.sum(-1)`) and can still see each unit. `torch.distributions` is their oracle
in the tests.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class _Softplus(torch.autograd.Function):
    """On a CPU: torch's takes its logarithm from a scalar log1p there, which is a sixth of a training step. Since
    log(1 + e) = 2 artanh(e / (2 + e)), vector operations alone do, in a fifth of the time."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        small = x.abs().neg_().exp_()
        return x.clamp(min=0).add_(small.div_(small + 2).atanh_(), alpha=2)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return x.sigmoid().mul_(gradient)


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)), to rounding, from one end of the floats to the other."""
    return _Softplus.apply(x) if x.device.type == "cpu" else functional.softplus(x)


class Normal(NamedTuple):
    """N(mean, exp(log_std)²), one for each element; both tensors have one shape (or broadcast)."""

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
        """log_prob of each of `values` [M, K] under each of these N distributions, summed over K → [M, N].

        Three matrix products, in float64 because the squares of narrow distributions cancel."""
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
    """P(value = 1) = sigmoid(logits), one for each element.

    `log_prob` also accepts values inside [0, 1]: then it is minus the cross-entropy, which is no density.
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
        """The binary Concrete sample, inside (0, 1), from the same noise; the hard one as temperature → 0.

        "The Concrete Distribution" (Maddison et al., 2017), arXiv:1611.00712.
        """
        return ((self.logits + noise) / temperature).sigmoid()

    def log_prob(self, value: Tensor) -> Tensor:
        return (value * self.logits).sub_(softplus(self.logits))  # in place: one large temporary less

    def pairwise_log_prob(self, values: Tensor) -> Tensor:
        """log_prob of each of `values` [M, K] under each of these N distributions, summed over K → [M, N].

        One matrix product, in float64 because the two large sums cancel."""
        logits = self.logits.double()
        return (values.double() @ logits.mT - softplus(logits).sum(-1)).to(values.dtype)

    def quantile(self, probability: Tensor) -> Tensor:
        """The inverse of the distribution function: 1 with probability `mean` where `probability` is uniform."""
        return self.sample(probability.logit())

    def kl(self, prior: "Bernoulli") -> Tensor:
        difference = self.logits - prior.logits
        return self.mean * difference - softplus(self.logits) + softplus(prior.logits)


class ContinuousBernoulli(NamedTuple):
    """The density on [0, 1] proportional to exp(logits · value).

    "The continuous Bernoulli" (Loaiza-Ganem and Cunningham, 2019), arXiv:1907.06845. Its constant, in terms
    of h = logits / 2, is log(sinh(h) / h) + h, which needs care near h = 0 (the paper's λ = ½).
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """½ + ½ (coth h − 1/h), and its Taylor series where that difference cancels."""
        half = 0.5 * self.logits
        far = half.abs() > 0.25
        safe = torch.where(far, half, torch.ones_like(half))
        square = half.square()
        near = half * (1 / 3 - square * (1 / 45 - square * (2 / 945 - square / 4725)))
        return 0.5 + 0.5 * torch.where(far, 1 / safe.tanh() - 1 / safe, near)

    def log_prob(self, value: Tensor) -> Tensor:
        return (value - 0.5) * self.logits - _log_sinhc(0.5 * self.logits)

    def pairwise_log_prob(self, values: Tensor) -> Tensor:
        """log_prob of each of `values` [M, D] under each of these N distributions, summed over D → [M, N]."""
        logits = self.logits.double()
        product = (values.double() - 0.5) @ logits.mT
        return (product - _log_sinhc(0.5 * logits).sum(-1)).to(values.dtype)

    def quantile(self, probability: Tensor) -> Tensor:
        """The inverse of the distribution function, log(1 + u (exp(logits) − 1)) / logits; u itself near logits 0.

        By the symmetry value ↔ 1 − value only exp of what is negative is taken, so nothing overflows."""
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


class Delta(NamedTuple):
    """All mass on one value: the code of a plain auto-encoder. It has no density and no KL: kl is 0."""

    value: Tensor

    @property
    def mean(self) -> Tensor:
        return self.value

    @property
    def mode(self) -> Tensor:
        return self.value

    def sample(self, noise: Tensor) -> Tensor:
        return self.value + torch.zeros_like(noise)

    def kl(self, prior: object) -> Tensor:
        return torch.zeros_like(self.value)
