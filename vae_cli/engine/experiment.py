"""The constructed parts of a run."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import nn

from vae_cli.config.schema.run import RunConfig
from vae_cli.data.corruption import Corruption
from vae_cli.data.dataset import Dataset
from vae_cli.engine.learning_rate import Decay, learning_rate_factor
from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective


class StepSchedule(NamedTuple):
    """The scheduled values of one step: numbers, or tensors where a traced or captured step must not contain their
    values. Packed runs have one value for each run."""

    learning_rate: Any
    objective: dict[str, Any]  # `Objective.schedule`


class Experiment(NamedTuple):
    """The parts of a run, as `vae_cli.build` constructs them."""

    config: RunConfig
    data: Dataset
    model: VAE
    objective: Objective
    optimizer: torch.optim.Optimizer
    decay: Decay
    corruption: Corruption
    # "objective" or "latent" → of parameters of its own; no schedule changes their learning rates
    own_optimizers: Mapping[str, torch.optim.Optimizer] = MappingProxyType({})

    @property
    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Together they update all parameters, of the model and of the objective with its estimator."""
        return [self.optimizer, *self.own_optimizers.values()]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What `optimizer` updates: all parameters but those that `own_optimizers` do."""
        return parameters_of(self.optimizer)

    @property
    def step_metrics(self) -> tuple[str, ...]:
        """The names of the metrics of a step, in order."""
        return ("loss", *self.objective.terms)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.data.train.images) / self.config.batch_size)

    @property
    def total_steps(self) -> int:
        return self.config.epochs * self.steps_per_epoch

    def step_schedule(self, step: int) -> StepSchedule:
        factor = learning_rate_factor(self.decay, step, self.total_steps)
        return StepSchedule(self.config.optimizer.lr * factor, self.objective.schedule(step))


Optimizers = Mapping[str, torch.optim.Optimizer]


def own_optimizers(model: VAE, objective: Objective) -> Optimizers:
    """Those that the parts bring along for parameters of their own."""
    each = {"objective": objective.own_optimizer(), "latent": model.latent.own_optimizer()}
    return {name: optimizer for name, optimizer in each.items() if optimizer}


def all_but(own: Optimizers, *modules: nn.Module) -> list[nn.Parameter]:
    """The parameters of the modules that none of the optimizers `own` updates."""
    owned = {parameter for optimizer in own.values() for parameter in parameters_of(optimizer)}
    return [p for module in modules for p in module.parameters() if p not in owned]


def parameters_of(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
