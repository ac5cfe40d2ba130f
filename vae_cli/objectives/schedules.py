"""Values that change with the step. They are plain functions of the step, so that a resumed run needs no state."""

import math
from typing import NamedTuple


class Beta(NamedTuple):
    """The weight of the KL. It goes linearly from `initial` to `beta` over `warmup_steps`, and starts again from
    `initial` every `cycle_steps` (0: never): "Cyclical Annealing Schedule" (Fu et al., 2019), arXiv:1903.10145.

    From 0, the code can use all its units at first. From above `beta`, units become active one after another.
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
    """The temperature of a relaxation: max(minimum, initial · exp(−rate · step)), and constant if the rate is 0."""

    initial: float
    rate: float
    minimum: float

    def __call__(self, step: int) -> float:
        return max(self.minimum, self.initial * math.exp(-self.rate * step)) if self.rate else self.initial
