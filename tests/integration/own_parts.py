"""A user's own objective and estimator, both with parameters that are trained, for tests/integration/test_own_parts.py."""

import torch
from torch import Tensor, nn

from vae_cli.metrics.registry import NATS, Metric, register
from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective, Schedule, Terms
from vae_cli.objectives.estimators.contract import Estimate, Estimator, from_samples, score
from vae_cli.objectives.reductions import Mean
from vae_cli.objectives.target import Target, target_of

register(Metric("weighted", NATS, "min", "rate + precision · distortion"))


class LearnedPrecision(Objective):
    """loss = pressure · rate + precision · distortion − units · log precision, where the precision is learned."""

    terms = ("rate", "distortion", "weighted")
    monitor = "weighted"

    def __init__(self, estimator: Estimator, samples: int, units: float, pressure_steps: int) -> None:
        super().__init__()
        self.estimator, self.samples, self.units, self.pressure_steps = (
            estimator,
            samples,
            units,
            pressure_steps,
        )
        self.log_precision = nn.Parameter(torch.zeros(()))

    def schedule(self, step: int) -> dict[str, float]:
        return {"pressure": min(1.0, step / self.pressure_steps), **self.estimator.schedule(step)}

    def forward(self, model: VAE, inputs: Tensor, x: Tensor, noise: Tensor, schedule: Schedule) -> Terms:
        q = model.encode(inputs)
        rate = model.latent.rate(q).sum(-1)
        target = target_of(model, inputs, x, q, Mean(), weight=None)
        estimate = self.estimator(target, noise, schedule)
        precision = self.log_precision.exp()
        loss = schedule["pressure"] * rate - precision * estimate.surrogate - self.units * self.log_precision
        weighted = rate.detach() - precision.detach() * estimate.value
        return Terms(loss, {"rate": rate.detach(), "distortion": -estimate.value, "weighted": weighted})

    def bound(self, model: VAE, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        q = model.encode(x)
        value = model.decode(q.sample(noise)).log_prob(x).sum(-1).mean(0)
        return {"weighted": model.latent.rate(q).sum(-1) - self.log_precision.exp() * value}


class UnknownMonitor(LearnedPrecision):
    """It monitors a metric that nobody registered."""

    monitor = "weigthed"


class LearnedBaseline(Estimator):
    """The score-function gradient with a baseline that is learned by least squares."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.baseline = nn.Parameter(torch.zeros(()))

    def schedule(self, step: int) -> dict[str, float]:
        return {"baseline_rate": self.rate / (1 + step)}

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        z = target.q.sample(noise).detach()
        log_weights = target.of_samples(z)  # [S, B]
        advantage = log_weights.detach() - self.baseline
        gradient = (advantage.detach() * score(target.q, z)).mean(0)
        squares = (schedule["baseline_rate"] * advantage.square()).mean(0)
        return from_samples(target, log_weights, gradient, squares.detach() - squares)
