"""Toys with known gradients: Tucker's (b − t)² of one bit, and its mean over many bits.

The toys are minimized, so the estimators get −f. One batch row is one run with its own seed: Adam acts on each number alone.
"""

from collections.abc import Iterator

import torch
from models.tables import seeded
from torch import Tensor

from vae_cli.models.distributions import Bernoulli
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator
from vae_cli.objectives.estimators.score_function import Reinforce
from vae_cli.objectives.reductions import Mean
from vae_cli.objectives.target import Target


def toy(logits: Tensor, t: float) -> Target:
    """−(b − t)² of one bit; logits [B, 1]."""

    def f(z: Tensor) -> Tensor:
        return -(z - t).square().sum(-1)

    codes = torch.tensor([[0.0], [1.0]]).to(logits)
    ones = torch.ones(len(logits), 1)
    return Target(Bernoulli(logits), lambda z, q: f(z), f, lambda: (codes, f(codes)[:, None]), Mean(), ones)


def gradients(estimator: Estimator, samples: int, logit: float, t: float, n: int) -> Tensor:
    """Of n estimates, [n]."""
    logits = torch.full((n, 1), logit, requires_grad=True)
    noise = BernoulliLatent(1).noise((estimator.rows(samples), n), seeded(), logits)
    (gradient,) = torch.autograd.grad(estimator(toy(logits, t), noise, {}).surrogate.sum(), logits)
    return gradient[:, 0]


def variances(p: float, t: float) -> dict[str, float]:
    """Of REINFORCE without a baseline, leave-one-out of two, DisARM and ARM, in closed form."""
    slope, v, least = 1 - 2 * t, p * (1 - p), min(p, 1 - p)
    return {
        "reinforce": v * ((1 - t) ** 4 * (1 - p) + t**4 * p) - (slope * v) ** 2,
        "leave_one_out": slope**2 * v * (0.5 - v),
        "disarm": slope**2 * v * ((1 - least) / 2 - v),
        "arm": slope**2 * (1 / 12 - 2 / 3 * (0.5 - least) ** 3 - v**2),
    }


def minimizing(estimator: Estimator, samples: int, t: float, steps: int, seeds: int) -> Iterator[Tensor]:
    """The probability of 1 after each step of Adam with rate 0.01 from logit 0, one for each seed: [seeds]."""
    logits = torch.zeros(seeds, 1, requires_grad=True)
    optimizer, own = torch.optim.Adam([logits], 0.01), estimator.own_optimizer()
    generator = seeded()
    for _ in range(steps):
        noise = BernoulliLatent(1).noise((estimator.rows(samples), seeds), generator, logits)
        estimate = estimator(toy(logits, t), noise, {"temperature": 0.5})
        loss = -estimate.surrogate if estimate.control is None else estimate.control - estimate.surrogate
        for each in filter(None, (optimizer, own)):
            each.zero_grad()
        loss.sum().backward()
        for each in filter(None, (optimizer, own)):
            each.step()
        yield logits.detach().sigmoid()[:, 0]


def minimized(estimator: Estimator, samples: int, t: float, steps: int, seeds: int = 200) -> Tensor:
    """The last of `minimizing`."""
    *_, last = minimizing(estimator, samples, t, steps, seeds)
    return last


class WithoutBaseline(Reinforce):
    """A moving average at its first batch, always."""

    def __init__(self) -> None:
        super().__init__("moving_average", 0.9)

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        self.total.zero_()
        self.weight.zero_()
        return super().forward(target, noise, schedule)
