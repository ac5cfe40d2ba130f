"""Gradients through a continuous relaxation of discrete codes."""

import torch
from torch import Tensor

from vae_cli.models.distributions import Bernoulli
from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, Integrand
from vae_cli.objectives.schedules import Temperature


class Concrete(Estimator):
    """Differentiates a relaxed sample. It is biased, and its variance grows as the temperature falls.

    The relaxed value is an objective, not a bound (with the Bernoulli KL it can exceed log p(x)). The hard value costs
    one more pass through the decoder, without gradients.
    "The Concrete Distribution" (Maddison et al., 2017), arXiv:1611.00712.
    """

    def __init__(
        self, temperature: float, anneal_rate: float = 0.0, minimum_temperature: float = 0.0
    ) -> None:
        super().__init__()
        self.temperature = Temperature(temperature, anneal_rate, minimum_temperature)

    def schedule(self, step: int) -> dict[str, float]:
        return {"temperature": self.temperature(step)}

    def forward(self, q: Bernoulli, f: Integrand, noise: Tensor, schedule: Schedule) -> Estimate:
        surrogate = f(q.relaxed_sample(noise, schedule["temperature"])).mean(0)
        with torch.no_grad():
            value = f(q.sample(noise)).mean(0)
        return Estimate(surrogate, value)
