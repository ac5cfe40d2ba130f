"""Score-function gradients for bits with a relaxed control variate, whose parameters are learned to reduce the variance."""

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimate, Estimator, along, from_samples
from vae_cli.objectives.estimators.straight_through import conditional
from vae_cli.objectives.estimators.taylor import with_slope
from vae_cli.objectives.target import Target


class Rebar(Estimator):
    """With y = h + noise, b = 1[y > 0], y~ the relaxed sample given b, and c(y) = scale · f(sigmoid(y / temperature)),

        gradient = (f(b) − c(y~)) (b − p) + c'(y) − c'(y~) ∂y~/∂h

    `coupled` takes the conditional noise for which y~ = y: one relaxed evaluation instead of two. Temperature and scale
    descend the variance. They act through second derivatives of the decoder.
    "REBAR: Low-variance, unbiased gradient estimates for discrete latent variable models" (Tucker et al., 2017),
    arXiv:1703.07370.
    """

    def __init__(self, coupled: bool, temperature: float, scale: float, control_lr: float) -> None:
        super().__init__()
        self.coupled, self.lr = coupled, control_lr
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log())
        self.scale = nn.Parameter(torch.tensor(scale))

    def rows(self, samples: int) -> int:
        """The conditional noise of independent samples takes a second row."""
        return samples // 2 if self.coupled else 2 * (samples // 3)

    def own_optimizer(self) -> Optimizer:
        return Adam(self.parameters(), self.lr)

    def own_metrics(self) -> dict[str, Tensor]:
        return {"control_temperature": self.log_temperature.exp(), "control_scale": self.scale}

    def control_variate(self, target: Target, y: Tensor) -> Tensor:
        """c, [S, B]"""
        return self.scale * target.frozen((y / self.log_temperature.exp()).sigmoid())

    def forward(self, target: Target, noise: Tensor, schedule: Schedule) -> Estimate:
        logits = target.q.logits.detach()
        first, second = (noise, None) if self.coupled else noise.chunk(2)
        y = logits + first
        b = (y > 0).to(y.dtype)
        log_weights = target.of_samples(b)
        value, slope = with_slope(lambda y: self.control_variate(target, y), y)
        sign = 2 * b - 1
        if second is None:
            path = slope * (1 + torch.expm1(-y.abs()) * (sign * logits).sigmoid())
        else:
            given_b = conditional(logits, b, second)
            value, slope_given_b = with_slope(lambda y: self.control_variate(target, y), given_b)
            moves = -torch.expm1(-given_b.abs()) * (sign * logits).sigmoid()  # ∂y~/∂h
            path = slope - slope_given_b * moves
        signal = log_weights.detach() - value
        gradient = (signal[..., None] * (b - logits.sigmoid()) + path).mean(0)
        return from_samples(
            target, log_weights, along(target.q.logits, gradient), control=gradient.square().sum(-1)
        )


class Relax(Rebar):
    """REBAR with c(y) = scale · (f(sigmoid(y / temperature)) + r(x, y)), where r is a network.

    "Backpropagation through the Void" (Grathwohl et al., 2018), arXiv:1711.00123.
    """

    def __init__(
        self,
        coupled: bool,
        temperature: float,
        scale: float,
        control_lr: float,
        control_hidden: int,
        pixels: int,
        units: int,
    ) -> None:
        super().__init__(coupled, temperature, scale, control_lr)
        self.network = nn.Sequential(
            nn.Linear(pixels + units, control_hidden), nn.LeakyReLU(0.3), nn.Linear(control_hidden, 1)
        )

    def control_variate(self, target: Target, y: Tensor) -> Tensor:
        images = target.inputs.detach().expand(*y.shape[:-1], -1)
        added = self.network(torch.cat([images, y], -1)).squeeze(-1)
        return super().control_variate(target, y) + self.scale * added
