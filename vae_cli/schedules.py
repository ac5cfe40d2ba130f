"""What changes with the step. Plain functions of the step, so that a resumed run finds its place by itself."""

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


class Beta(NamedTuple):
    """The weight of the KL: `beta`, reached linearly from `initial` over `warmup_steps`, and again from `initial`
    every `cycle_steps` (0: never): "Cyclical Annealing Schedule" (Fu et al., 2019), arXiv:1903.10145.

    From 0 the code may first use all its units; from above `beta` it takes up one after the other.
    """

    beta: float
    warmup_steps: int
    cycle_steps: int
    initial: float = 0.0

    def __call__(self, step: int) -> float:
        phase = step % self.cycle_steps if self.cycle_steps else step
        progress = min(1.0, phase / self.warmup_steps) if self.warmup_steps else 1.0
        return self.initial + (self.beta - self.initial) * progress


class Temperature(NamedTuple):
    """max(minimum, initial · exp(−rate · step)) of the Concrete relaxation; constant at rate 0."""

    initial: float
    rate: float
    minimum: float

    def __call__(self, step: int) -> float:
        return max(self.minimum, self.initial * math.exp(-self.rate * step)) if self.rate else self.initial
