"""Gradients through a continuous relaxation of discrete codes, whose temperature may fall during training."""

import torch
from torch import Tensor

from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, from_samples
from vae_cli.objectives.schedules import Temperature
from vae_cli.objectives.target import Target, detached


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

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        q = target.q
        relaxed = target.log_weight(q.relaxed_sample(noise, schedule["temperature"]), detached(q))
        with torch.no_grad():
            hard = target.of_samples(q.sample(noise))
        return Estimate(target.reduction(relaxed), target.reduction(hard), hard)


class StraightThroughGumbelSoftmax(Relaxation):
    """Evaluates f at the hard sample and differentiates the relaxed sample of the same noise. It is biased.

    "Categorical Reparameterization with Gumbel-Softmax" (Jang et al., 2017), arXiv:1611.01144, section 2.2.
    """

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        q = target.q
        relaxed = q.relaxed_sample(noise, schedule["temperature"])
        return from_samples(target, target.of_samples(q.sample(noise) + (relaxed - relaxed.detach())))
