"""Learning-rate schedules: factors on `optimizer.lr`, plain functions of the step."""

import math
from typing import NamedTuple, Protocol


class Decay(Protocol):
    """A factor on `optimizer.lr`; `progress` runs from 0 to 1 over the run, `step` counts from 0."""

    warmup_steps: int

    def __call__(self, step: int, progress: float) -> float: ...


def learning_rate_factor(decay: Decay, step: int, total_steps: int) -> float:
    """The decay after a linear warm-up: the first step of a warm-up over n steps uses 1/n."""
    warmup = min(1.0, (step + 1) / decay.warmup_steps) if decay.warmup_steps else 1.0
    return warmup * decay(step, step / max(total_steps, 1))


class Constant(NamedTuple):
    warmup_steps: int

    def __call__(self, step: int, progress: float) -> float:
        return 1.0


class Cosine(NamedTuple):
    """Half a cosine from 1 to `minimum` over the whole run: "SGDR" (Loshchilov and Hutter, 2017)."""

    minimum: float
    warmup_steps: int

    def __call__(self, step: int, progress: float) -> float:
        return self.minimum + (1 - self.minimum) * 0.5 * (1 + math.cos(math.pi * progress))


class Step(NamedTuple):
    """factor^n after n whole intervals of `every_steps`."""

    every_steps: int
    factor: float
    warmup_steps: int

    def __call__(self, step: int, progress: float) -> float:
        return self.factor ** (step // self.every_steps)


class Stages(NamedTuple):
    """factor^i in stage i = 0, 1, …, which has first_steps · growth^i steps.

    With growth 3 and factor 10^(−1/7): "Importance Weighted Autoencoders" (Burda et al., 2016), arXiv:1509.00519.
    """

    first_steps: int
    growth: int
    factor: float
    warmup_steps: int

    def __call__(self, step: int, progress: float) -> float:
        stage, end = 0, self.first_steps
        while step >= end:
            stage += 1
            end += self.first_steps * self.growth**stage
        return self.factor**stage


class Exponential(NamedTuple):
    """exp(−rate · step)."""

    rate: float
    warmup_steps: int

    def __call__(self, step: int, progress: float) -> float:
        return math.exp(-self.rate * step)


class Inverse(NamedTuple):
    """1 / (1 + rate · step), the "learning rate decay" of Torch 7's optimizers."""

    rate: float
    warmup_steps: int

    def __call__(self, step: int, progress: float) -> float:
        return 1 / (1 + self.rate * step)
