"""How much memory a run needs, and how much is free."""

import copy
import ctypes
import gc
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from vae_cli.engine.experiment import Experiment
from vae_cli.engine.state import State
from vae_cli.engine.step import StepInputs
from vae_cli.engine.trainable import Loss

SHARE = 0.8  # of the free memory that a pack may fill
MEMINFO = Path("/proc/meminfo")
CGROUPS = (  # of Linux: version 2, then version 1; folder, limit, usage
    ("", "memory.max", "memory.current"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


class Fit(NamedTuple):
    members: int  # how many fit, at least 1
    bytes_each: int
    bytes_free: int


def members_that_fit(state: State) -> Fit:
    """How many runs like this one fit into the memory that is free now.

    A run needs five times its parameters (values, gradients, two moments of the optimizer, and a copy while a pack is
    formed again) and twice what a forward pass keeps for the backward pass, which is measured.
    """
    experiment, config = state.experiment, state.experiment.config
    batch = batch_bytes(experiment, config.batch_size, config.objective.samples)
    each = 5 * parameter_bytes(experiment.model, experiment.objective) + 2 * batch
    free = free_memory(experiment.device)
    return Fit(max(1, int(SHARE * free / each)), each, free)


def parameter_bytes(*modules: nn.Module) -> int:
    return sum(parameter.nbytes for module in modules for parameter in module.parameters())


def batch_bytes(experiment: Experiment, batch_size: int, samples: int) -> int:
    """What the forward pass of a batch keeps for the backward pass.

    It is proportional to the images, and in the decoder to the samples, too. Three small passes measure both factors.
    """
    few, more_images, more_samples = (
        _kept_for_backward(experiment, *shape) for shape in ((2, 2), (2, 3), (3, 2))
    )
    of_sample = (more_samples - few) / 2
    of_image = more_images - few - 2 * of_sample
    return round(min(batch_size, len(experiment.data.train.images)) * (of_image + samples * of_sample))


def _kept_for_backward(experiment: Experiment, samples: int, batch_size: int) -> int:
    model = experiment.model
    objective = copy.deepcopy(experiment.objective)  # so that its buffers do not change
    like, kept = next(model.parameters()), 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.nbytes
        return tensor

    x = like.new_zeros(batch_size, experiment.data.train.images.shape[1])
    noise = like.new_zeros(samples, batch_size, model.latent.decoder_inputs)
    schedule = {name: like.new_ones(()) for name in objective.schedule(0)}
    with saved_tensors_hooks(count, lambda tensor: tensor):
        Loss(model, objective)(StepInputs(x, x, noise), schedule)
    return kept


def free_memory(device: torch.device) -> int:
    """Free bytes of a GPU; or of the host, as far as this process may use them."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if not MEMINFO.exists():  # not Linux
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    lines = MEMINFO.read_text().splitlines()
    available = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    return min([available, *_free_of_cgroups()])


def _free_of_cgroups() -> Iterator[int]:
    """What the limits of containers, of Slurm's jobs and of services leave: those of each cgroup of this process."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, below = line.split(":", 2)
        for folder, limit, usage in CGROUPS:
            if folder == controllers:
                root = Path("/sys/fs/cgroup") / folder
                group = root / below.lstrip("/")
                for each in (group, *group.parents[: len(group.parents) - len(root.parents)]):
                    yield from _free_of(each, limit, usage)


def _free_of(group: Path, limit: str, usage: str) -> Iterator[int]:
    """Pages of files that nobody uses count as used, but are given back."""
    try:
        most, used = int((group / limit).read_text()), int((group / usage).read_text())
        cached = re.search(
            r"^(?:total_)?inactive_file (\d+)", (group / "memory.stat").read_text(), re.MULTILINE
        )
    except (OSError, ValueError):  # no such file, or no limit ("max")
        return
    yield max(0, most - used + (int(cached[1]) if cached else 0))


def free_after_cleaning(device: torch.device) -> int:
    """What earlier runs of this process have left to Python, glibc and torch is given back first."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    return free_memory(device)
