"""How many runs fit into memory at once."""

import copy
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from vae_cli.engine.state import State
from vae_cli.engine.step import StepInputs
from vae_cli.engine.trainable import Loss

SHARE = 0.8  # of the free memory that a pack may fill


class Fit(NamedTuple):
    members: int  # how many fit, at least 1
    bytes_each: int
    bytes_free: int


def members_that_fit(state: State) -> Fit:
    """How many runs like this one fit into the memory that is free now.

    A run needs five times its parameters (values, gradients, two moments of the optimizer, and a copy while a pack is
    formed again) and twice what a forward pass keeps for the backward pass, which is measured.
    """
    each = 5 * sum(p.nbytes for p in state.experiment.parameters) + 2 * _kept_for_backward(state)
    free = free_memory(state.experiment.device)
    return Fit(max(1, int(SHARE * free / each)), each, free)


def _kept_for_backward(state: State) -> int:
    """The bytes that the forward pass of one batch keeps for the backward pass."""
    experiment = state.experiment
    loss = Loss(experiment.model, copy.deepcopy(experiment.objective))  # so that its buffers do not change
    like, kept = next(experiment.model.parameters()), 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.nbytes
        return tensor

    x = like.new_zeros(experiment.config.batch_size, experiment.data.train.images.shape[1])
    noise = like.new_zeros(experiment.objective.samples, len(x), experiment.model.latent.decoder_inputs)
    with saved_tensors_hooks(count, lambda tensor: tensor):
        loss(StepInputs(x, x, noise), {name: like.new_ones(()) for name in experiment.objective.schedule(0)})
    return kept


def free_memory(device: torch.device) -> int:
    """Free bytes of a GPU, or of the host."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    lines = Path("/proc/meminfo").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
