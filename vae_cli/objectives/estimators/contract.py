"""The contract of every estimator of E[R(l_1 … l_S)] and of its gradient, for every latent and every bound."""

from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.optim import Optimizer

from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.target import Target


class Estimate(NamedTuple):
    """`surrogate` is differentiated: its gradient estimates that of E[R]. `value` and `log_weights` are reported: they are
    those of hard codes, whatever was optimized."""

    surrogate: Tensor  # [B]
    value: Tensor  # [B], without gradient; an unbiased estimate of E[R]
    log_weights: Tensor  # [S, B], without gradient
    control: Tensor | None = None  # [B], minimized; its gradient reaches the estimator's own parameters alone


class Estimator(nn.Module):
    """An estimator owns its parameters and its schedules."""

    def rows(self, samples: int) -> int:
        """How many rows of noise make up `samples` evaluations of the decoder for each image."""
        return samples

    def schedule(self, step: int) -> dict[str, float]:
        """The values that change with the step; `forward` gets them back."""
        return {}

    def own_optimizer(self) -> Optimizer | None:
        """What trains its parameters on `Estimate.control`. None: they are trained on the loss, beside the model's."""
        return None

    def own_metrics(self) -> dict[str, Tensor]:
        """What it has learned about itself, logged with each validation: name → a number."""
        return {}

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        """`noise` [rows, B, V] is the latent's noise: standard normal, logistic or Gumbel."""
        raise NotImplementedError


def score(q: Any, z: Tensor) -> Tensor:
    """[S, B], of value 0: its gradient is that of log q(z)."""
    log_prob = q.log_prob(z).sum(-1)
    return log_prob - log_prob.detach()


def along(parameters: Tensor, gradient: Tensor) -> Tensor:
    """[B], of value 0: its gradient in `parameters` [B, K] is `gradient` [B, K]."""
    return (gradient.detach() * (parameters - parameters.detach())).sum(-1)


def from_samples(
    target: Target, log_weights: Tensor, *gradients: Tensor, control: Tensor | None = None
) -> Estimate:
    """The estimate from hard samples with these log-weights [S, B]. Each of `gradients` [B] has the value 0 and adds its
    gradient to that of R."""
    value = target.reduction(log_weights)
    return Estimate(value + sum(gradients), value.detach(), log_weights.detach(), control)
