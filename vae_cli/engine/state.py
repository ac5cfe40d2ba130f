"""What changes while training."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor

from vae_cli.engine.experiment import Experiment

PLAIN = ("step", "seconds", "examples", "best", "stale", "epoch_sums")  # attributes that are no tensors


@dataclass
class State:
    """Everything that changes while training; a checkpoint holds all of it."""

    experiment: Experiment
    generator: Generator  # of every random number in a step: data, corruption, code
    step: int = 0
    seconds: float = 0.0  # of training, without validation
    examples: int = 0
    best: float = -math.inf  # of the monitored validation metric; its negative where lower is better
    stale: int = 0  # validations since the best
    # [steps, 1 + terms] each: the metrics of the steps since the last log line, on the device
    step_metrics: list[Tensor] = field(default_factory=list)
    # of the last step, where gradients are clipped
    gradient_norm: Tensor = field(default_factory=lambda: torch.zeros(()))
    # over this epoch's examples: the sums of the step metrics, then the number of examples
    epoch_sums: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.epoch_sums = self.epoch_sums or [0.0] * (len(self.experiment.step_metrics) + 1)

    def state_dict(self) -> dict[str, Any]:
        parts = self.experiment
        none = torch.empty(0, len(parts.step_metrics))
        return {
            "model": parts.model.state_dict(),
            "objective": parts.objective.state_dict(),
            "optimizer": parts.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "rows": torch.cat(self.step_metrics) if self.step_metrics else none,
            # needed by `vae_cli.load`, which does not load the data
            "data": {"shape": list(parts.data.shape), "scale": parts.data.scale},
            **{name: getattr(self, name) for name in PLAIN},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        parts = self.experiment
        parts.model.load_state_dict(saved["model"])
        parts.objective.load_state_dict(saved["objective"])
        parts.optimizer.load_state_dict(saved["optimizer"])
        self.generator.set_state(saved["generator"])
        self.step_metrics = [saved["rows"].to(parts.device)] if len(saved["rows"]) else []
        for name in PLAIN:
            setattr(self, name, saved[name])
