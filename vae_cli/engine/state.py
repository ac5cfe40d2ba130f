"""What changes while a run trains."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor

from vae_cli.engine.experiment import Experiment

PLAIN = ("step", "seconds", "examples", "best", "stale", "epoch_sums")  # the attributes that are not tensors


@dataclass
class State:
    """Everything that changes while a run trains. A checkpoint holds all of it."""

    experiment: Experiment
    generator: Generator  # draws every random number of a step: binarization, corruption, noise of the code
    step: int = 0  # steps made
    seconds: float = 0.0  # time of training, without validation
    examples: int = 0  # examples used in training
    # the best value of the monitored validation metric; its negative where lower is better
    best: float = -math.inf
    stale: int = 0  # validations since the best one
    # the metrics of the steps since the last log line, on the device; [steps, 1 + terms] each
    step_metrics: list[Tensor] = field(default_factory=list)
    # the norm of the last step's gradient before clipping, where the configuration clips
    gradient_norm: Tensor = field(default_factory=lambda: torch.zeros(()))
    # sums of the step metrics over this epoch's examples, then the number of examples
    epoch_sums: list[float] = field(default_factory=list)
    # what has been logged, as `vae_cli.runs.metrics_log` marks it; None in checkpoints of earlier versions
    logged: str | None = None

    def __post_init__(self) -> None:
        self.epoch_sums = self.epoch_sums or [0.0] * (len(self.experiment.step_metrics) + 1)

    def state_dict(self) -> dict[str, Any]:
        experiment = self.experiment
        none = torch.empty(0, len(experiment.step_metrics))
        return {
            "model": experiment.model.state_dict(),
            "objective": experiment.objective.state_dict(),
            "optimizer": experiment.optimizer.state_dict(),
            "own_optimizers": {name: own.state_dict() for name, own in experiment.own_optimizers.items()},
            "generator": self.generator.get_state(),
            # the name that checkpoints have always had for the step metrics
            "rows": torch.cat(self.step_metrics) if self.step_metrics else none,
            # shape and scale are needed by `vae_cli.load`, which does not load the data
            "data": {
                "shape": list(experiment.data.shape),
                "scale": experiment.data.scale,
                "checksum": experiment.data.checksum,
            },
            "logged": self.logged,
            **{name: getattr(self, name) for name in PLAIN},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        experiment = self.experiment
        experiment.model.load_state_dict(saved["model"])
        experiment.objective.load_state_dict(saved["objective"])
        experiment.optimizer.load_state_dict(saved["optimizer"])
        for name, own in experiment.own_optimizers.items():
            own.load_state_dict(saved["own_optimizers"][name])
        self.generator.set_state(saved["generator"])
        self.logged = saved.get("logged")
        self.step_metrics = [saved["rows"].to(experiment.device)] if len(saved["rows"]) else []
        for name in PLAIN:
            setattr(self, name, saved[name])
