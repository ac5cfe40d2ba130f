"""Score-function gradients whose control variates come from the gradient of f at a code, or from its neighbours."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import vjp
from torch.optim import Adam, Optimizer

from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, along, from_samples, score
from vae_cli.objectives.target import Target


def with_slope(f: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    """f [S, B] at the codes z [S, B, K], and its gradient in them [S, B, K]. Both can be differentiated again."""
    value, pull, *_ = vjp(f, z)
    (slope,) = pull(torch.ones_like(value))
    return value, slope


class MuProp(Estimator):
    """The score function of what a first-order Taylor expansion around the mean code leaves, and the expansion's own exact
    gradient. The mean code costs one evaluation, whatever the number of samples.

    "MuProp: Unbiased Backpropagation for Stochastic Neural Networks" (Gu et al., 2016), arXiv:1511.05176.
    """

    def rows(self, samples: int) -> int:
        return samples - 1

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        q, mean = target.q, target.q.mean
        z = q.sample(noise).detach()
        log_weights = target.of_samples(z)
        at_mean, slope = with_slope(target.frozen, mean.detach()[None])
        expansion = at_mean + (slope * (z - mean)).sum(-1)
        residual = (log_weights - expansion).detach()
        gradient = (residual * score(q, z)).mean(0)
        return from_samples(target, log_weights, gradient, along(mean, slope[0]))


class DoubleCV(Estimator):
    """Leave-one-out REINFORCE with a second control variate, linear in the code, whose slope is the gradient of f at the
    other samples, times `alpha`, which is learned. Good values of alpha are negative.

    "Double Control Variates for Gradient Estimation in Discrete Latent Variable Models" (Titsias and Shi, 2022),
    arXiv:2111.05300.
    """

    def __init__(self, control_alpha: float, control_lr: float) -> None:
        super().__init__()
        self.alpha, self.lr = nn.Parameter(torch.tensor(control_alpha)), control_lr

    def own_optimizer(self) -> Optimizer:
        return Adam(self.parameters(), self.lr)

    def own_metrics(self) -> dict[str, Tensor]:
        return {"control_alpha": self.alpha}

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        p = target.q.mean.detach()
        z = target.q.sample(noise).detach()
        log_weights = target.of_samples(z)
        _, slope = with_slope(target.frozen, z)
        slope = slope.detach()
        linear = self.alpha * (_mean_of_others(slope) * (z - p)).sum(-1)
        value = log_weights.detach() + linear
        signal = value - _mean_of_others(value)
        gradient = (signal[..., None] * (z - p)).mean(0) - self.alpha * p * (1 - p) * slope.mean(0)
        return from_samples(
            target, log_weights, along(target.q.logits, gradient), control=gradient.square().sum(-1)
        )


def _mean_of_others(values: Tensor) -> Tensor:
    """Along axis 0."""
    return (values.sum(0) - values) / (len(values) - 1)


class RODEO(Estimator):
    """Leave-one-out REINFORCE with control variates from discrete Stein operators: a small network of the other samples'
    expansions of f is compared between a code and its neighbours, which costs no evaluation of the decoder.

    "Gradient Estimation with Discrete Stein Operators" (Shi et al., 2022), arXiv:2202.09497.
    """

    def __init__(self, control_hidden: int, control_lr: float) -> None:
        super().__init__()
        self.lr = control_lr
        self.alpha, self.beta = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.of_expansion, self.of_value = nn.Linear(1, control_hidden), nn.Linear(1, control_hidden)
        self.outputs = nn.Sequential(nn.LeakyReLU(0.3), nn.Linear(control_hidden, 2))

    def own_optimizer(self) -> Optimizer:
        return Adam(self.parameters(), self.lr)

    def own_metrics(self) -> dict[str, Tensor]:
        return {"control_alpha": self.alpha, "control_beta": self.beta}

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        p = target.q.mean.detach()
        z = target.q.sample(noise).detach()
        log_weights = target.of_samples(z)
        _, slope = with_slope(target.frozen, z)
        baseline, correction = self._stein(z, p, log_weights.detach(), slope.detach())
        signal = log_weights.detach() - _mean_of_others(log_weights.detach() + self.alpha * baseline)
        gradient = (signal[..., None] * (z - p) + self.beta * correction).mean(0)
        return from_samples(
            target, log_weights, along(target.q.logits, gradient), control=gradient.square().sum(-1)
        )

    def _stein(self, z: Tensor, p: Tensor, value: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Two functions of mean zero: [S, B] and [S, B, K].

        A neighbour of z has one unit flipped, so that the expansions at all neighbours need no [S, S, B, K, K]."""
        up = 1 - 2 * z  # [S, B, K]
        expansion = (slope * (z[:, None] - z)).sum(-1)  # of sample j at sample s: [s, j, B]
        at_neighbours = expansion[..., None] + slope * up[:, None]  # [s, j, B, K]
        here = self._mean_over_others(expansion[..., None], value)  # [S, B, 1, 2]
        there = self._mean_over_others(at_neighbours, value)  # [S, B, K, 2]
        flip = p * (1 - z) + (1 - p) * z
        difference = flip[..., None] * (there - here) / z.shape[-1]
        baseline = difference[..., 0].sum(-1)
        moved = flip * there[..., 1] * up / z.shape[-1]
        return baseline, difference[..., 1].sum(-1, keepdim=True) * (z - p) + moved

    def _mean_over_others(self, expansions: Tensor, value: Tensor) -> Tensor:
        """The network's outputs for sample s and each other sample j, averaged: [S, S, B, N] → [S, B, N, 2]."""
        hidden = self.of_expansion(expansions[..., None]) + self.of_value(value[:, :, None, None])
        outputs = self.outputs(hidden)
        own = torch.eye(len(value), dtype=value.dtype, device=value.device)[..., None, None, None]
        return (outputs * (1 - own)).sum(1) / (len(value) - 1)
