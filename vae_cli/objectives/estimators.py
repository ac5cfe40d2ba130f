"""Estimators of E_q[f(z)] and of its gradient: one contract for every latent.

    estimator(q, f, noise, temperature) → Estimate(surrogate [B], value [B])

`surrogate` is differentiated: its gradient estimates ∇E_q[f(z)]. `value` is reported: the mean of f over hard
samples from q itself, which is an unbiased estimate of E_q[f(z)] whatever the gradient cost. The two are
the same number except for Concrete, which optimizes a relaxation.

q is a posterior [B, K], f maps codes [S, B, K] to [S, B], noise is the latent's base noise [S, B, K].
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_cli.models.distributions import Bernoulli
from vae_cli.models.latents import Posterior

Integrand = Callable[[Tensor], Tensor]


class Estimate(NamedTuple):
    surrogate: Tensor
    value: Tensor


class Pathwise(nn.Module):
    """Differentiates through the sample: unbiased, for codes that are smooth in their parameters.

    "Auto-Encoding Variational Bayes" (Kingma and Welling, 2014), arXiv:1312.6114.
    """

    def forward(self, q: Posterior, f: Integrand, noise: Tensor, temperature: Tensor | float) -> Estimate:
        value = f(q.sample(noise)).mean(0)
        return Estimate(value, value.detach())


class Concrete(nn.Module):
    """Differentiates a relaxed sample: biased, with a variance that grows as the temperature falls.

    The relaxed value is an objective, not a bound (with the Bernoulli KL it can be above log p(x)); the
    hard value costs one more pass through the decoder, without gradients.
    "The Concrete Distribution" (Maddison et al., 2017), arXiv:1611.00712.
    """

    def forward(self, q: Bernoulli, f: Integrand, noise: Tensor, temperature: Tensor | float) -> Estimate:
        surrogate = f(q.relaxed_sample(noise, temperature)).mean(0)
        with torch.no_grad():
            value = f(q.sample(noise)).mean(0)
        return Estimate(surrogate, value)


class StraightThrough(nn.Module):
    """Hard sample forwards, the gradient of its mean backwards: biased, no temperature.

    "Estimating or Propagating Gradients Through Stochastic Neurons" (Bengio et al., 2013), arXiv:1308.3432.
    """

    def forward(self, q: Bernoulli, f: Integrand, noise: Tensor, temperature: Tensor | float) -> Estimate:
        value = f(q.sample(noise) + (q.mean - q.mean.detach())).mean(0)
        return Estimate(value, value.detach())


class Reinforce(nn.Module):
    """The score function, (f(z) − baseline) ∇ log q(z), plus f's own gradient: unbiased for any q.

    `leave_one_out` takes the mean of the other samples as baseline and needs at least two. `moving_average`
    takes a decayed mean of earlier batches, kept in buffers so that a checkpoint carries it.
    "Simple Statistical Gradient-Following Algorithms" (Williams, 1992); "Buy 4 REINFORCE Samples, Get a
    Baseline for Free!" (Kool et al., 2019).
    """

    total: Tensor
    weight: Tensor

    def __init__(self, baseline: str, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.baseline = {"leave_one_out": self._leave_one_out, "moving_average": self._moving_average}[
            baseline
        ]
        self.register_buffer("total", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(()))

    def forward(self, q: Posterior, f: Integrand, noise: Tensor, temperature: Tensor | float) -> Estimate:
        assert not hasattr(q, "value"), "a Delta has no score function"
        z = q.sample(noise).detach()
        value = f(z)  # [S, B]
        score = q.log_prob(z).sum(-1)
        advantage = value.detach() - self.baseline(value.detach())
        surrogate = value + advantage * (score - score.detach())
        return Estimate(surrogate.mean(0), value.mean(0).detach())

    def _leave_one_out(self, value: Tensor) -> Tensor:
        assert len(value) > 1, "leave_one_out needs at least two samples"
        return (value.sum(0) - value) / (len(value) - 1)

    def _moving_average(self, value: Tensor) -> Tensor:
        """The mean of earlier batches, 0 before the first: independent of this batch, so no bias."""
        baseline = self.total / self.weight.clamp(min=1e-12)
        self.total.mul_(self.decay).add_(value.mean() * (1 - self.decay))
        self.weight.mul_(self.decay).add_(1 - self.decay)
        return baseline
