"""Gradients through a continuous relaxation of discrete codes, whose temperature may fall during training."""

from typing import Protocol

import torch
from torch import Tensor

from vae_cli.models.posterior import Posterior
from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, Integrand
from vae_cli.objectives.schedules import Temperature


class Relaxable(Posterior, Protocol):
    """A discrete posterior with a relaxed sample."""

    def relaxed_sample(self, noise: Tensor, temperature: Tensor | float) -> Tensor:
        """Codes [..., V] that are differentiable in the posterior's parameters, hard ones as temperature → 0."""


class Relaxation(Estimator):
    """temperature(step) = max(minimum_temperature, temperature · exp(−anneal_rate · step))."""

    def __init__(
        self, temperature: float, anneal_rate: float = 0.0, minimum_temperature: float = 0.0
    ) -> None:
        super().__init__()
        self.temperature = Temperature(temperature, anneal_rate, minimum_temperature)

    def schedule(self, step: int) -> dict[str, float]:
        return {"temperature": self.temperature(step)}


class Concrete(Relaxation):
    """Differentiates a relaxed sample. It is biased, and its variance grows as the temperature falls.

    The relaxed value is an objective, not a bound (with the KL of hard codes it can exceed log p(x)). The hard value
    costs one more pass through the decoder, without gradients.
    "The Concrete Distribution" (Maddison et al., 2017), arXiv:1611.00712.
    """

    def forward(self, q: Relaxable, f: Integrand, noise: Tensor, schedule: Schedule) -> Estimate:
        surrogate = f(q.relaxed_sample(noise, schedule["temperature"])).mean(0)
        with torch.no_grad():
            value = f(q.sample(noise)).mean(0)
        return Estimate(surrogate, value)


class StraightThroughGumbelSoftmax(Relaxation):
    """Evaluates f at the hard sample and differentiates the relaxed sample of the same noise. It is biased.

    "Categorical Reparameterization with Gumbel-Softmax" (Jang et al., 2017), arXiv:1611.01144, section 2.2.
    """

    def forward(self, q: Relaxable, f: Integrand, noise: Tensor, schedule: Schedule) -> Estimate:
        relaxed = q.relaxed_sample(noise, schedule["temperature"])
        value = f(q.sample(noise) + (relaxed - relaxed.detach())).mean(0)
        return Estimate(value, value.detach())
