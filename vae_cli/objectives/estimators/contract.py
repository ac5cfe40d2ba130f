"""The contract of every estimator of E_q[f(z)] and of its gradient, for every latent."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn

from vae_cli.objectives.contract import Schedule

Integrand = Callable[[Tensor], Tensor]  # f: codes [S, B, V] → [S, B]


class Estimate(NamedTuple):
    """`surrogate` is differentiated: its gradient estimates ∇E_q[f(z)]. `value` is reported: the mean of f over hard
    samples of q, an unbiased estimate of E_q[f(z)], whatever was optimized."""

    surrogate: Tensor  # [B]
    value: Tensor  # [B], without gradient


class Estimator(nn.Module):
    """An estimator owns its parameters, which the optimizer updates, and its schedules."""

    def schedule(self, step: int) -> dict[str, float]:
        """The values that change with the step; `forward` gets them back."""
        return {}

    def forward(self, q: Any, f: Integrand, noise: Tensor, schedule: Schedule) -> Estimate:
        """`q` is a posterior over codes [B, V], of the kind that the estimator needs. `noise` [S, B, V] is the latent's
        noise: standard normal, logistic or Gumbel."""
        raise NotImplementedError
