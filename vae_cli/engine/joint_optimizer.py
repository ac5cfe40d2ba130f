"""One optimizer for the parameters of many runs."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from vae_cli.engine.state import State

MergedGroup = tuple[dict[str, Any], int]  # a parameter group, and the run whose learning rate it has


def joint_optimizers(states: Sequence[State]) -> tuple[list[Optimizer], list[MergedGroup]]:
    """One optimizer for each class of optimizers. It updates the parameters of all runs of that class and keeps its state
    in their own optimizers, so that the overhead of `step` is paid once. Runs with equal settings and learning rates
    share one parameter group."""
    optimizers: list[Optimizer] = []
    merged: list[MergedGroup] = []
    all_optimizers = [(run, each) for run, state in enumerate(states) for each in state.experiment.optimizers]
    for kind in dict.fromkeys(type(optimizer) for _, optimizer in all_optimizers):
        of_kind = [(run, optimizer) for run, optimizer in all_optimizers if type(optimizer) is kind]
        scheduled: dict[str, MergedGroup] = {}
        others: dict[str, MergedGroup] = {}  # whose learning rate no schedule changes
        for run, optimizer in of_kind:
            is_scheduled = optimizer is states[run].experiment.optimizer
            groups = scheduled if is_scheduled else others
            for group in optimizer.param_groups:
                settings = _settings(states[run], group) if is_scheduled else _settings_of(group)
                first = groups.setdefault(settings, ({**group, "params": []}, run))
                first[0]["params"].extend(group["params"])
        optimizers.append(
            _joint([optimizer for _, optimizer in of_kind], [*scheduled.values(), *others.values()])
        )
        merged += scheduled.values()
    return optimizers, merged


def _settings(state: State, group: dict[str, Any]) -> str:
    """Everything that runs must have in common to share a parameter group."""
    experiment = state.experiment
    settings = {key: value for key, value in group.items() if key not in ("params", "lr")}
    return repr(
        (settings, experiment.config.optimizer.lr, experiment.decay, experiment.total_steps, state.step)
    )


def _settings_of(group: dict[str, Any]) -> str:
    return repr({key: value for key, value in group.items() if key != "params"})


def _joint(owners: Sequence[Optimizer], groups: Sequence[MergedGroup]) -> Optimizer:
    joint = copy.copy(owners[0])
    joint.param_groups = [group for group, _ in groups]
    owner = {p: each for each in owners for group in each.param_groups for p in group["params"]}
    joint.state = _States(owner)  # type: ignore[assignment]  # torch declares a defaultdict and needs a dict
    return joint


class _States(dict[Tensor, dict[str, Any]]):
    """Looks up each parameter's state in the optimizer that owns the parameter, and creates it there."""

    def __init__(self, owner: dict[Tensor, torch.optim.Optimizer]) -> None:
        super().__init__()
        self.owner = owner

    def __missing__(self, parameter: Tensor) -> dict[str, Any]:
        return self.owner[parameter].state[parameter]
