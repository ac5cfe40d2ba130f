"""The score-function gradient (REINFORCE), with a baseline that reduces its variance."""

import torch
from torch import Tensor

from vae_cli.models.posterior import Posterior
from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, Integrand


class Reinforce(Estimator):
    """(f(z) − baseline) ∇ log q(z), plus f's own gradient. It is unbiased for any q with a density.

    `leave_one_out` takes the mean of the other samples as the baseline and needs at least two. `moving_average` takes
    a decayed mean of earlier batches, kept in buffers so that a checkpoint holds it.
    "Simple Statistical Gradient-Following Algorithms" (Williams, 1992); "Buy 4 REINFORCE Samples, Get a Baseline
    for Free!" (Kool et al., 2019).
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

    def forward(self, q: Posterior, f: Integrand, noise: Tensor, schedule: Schedule) -> Estimate:
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
        """The mean of earlier batches, 0 before the first. It does not depend on this batch, hence adds no bias."""
        baseline = self.total / self.weight.clamp(min=1e-12)
        self.total.mul_(self.decay).add_(value.mean() * (1 - self.decay))
        self.weight.mul_(self.decay).add_(1 - self.decay)
        return baseline
