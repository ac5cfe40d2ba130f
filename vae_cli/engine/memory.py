"""How much memory a run needs, and how much is free."""

import copy
import ctypes
import gc
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

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
    formed again) and what a batch needs, which is measured.
    """
    experiment, config = state.experiment, state.experiment.config
    batch = batch_bytes(experiment, config.batch_size, config.objective.samples)
    each = 5 * parameter_bytes(experiment.model, experiment.objective) + batch
    free = free_memory(experiment.device)
    return Fit(max(1, int(SHARE * free / each)), each, free)


def parameter_bytes(*modules: nn.Module) -> int:
    return sum(parameter.nbytes for module in modules for parameter in module.parameters())


def batch_bytes(experiment: Experiment, batch_size: int, samples: int) -> int:
    """What a batch needs: twice what its forward pass keeps, since the backward pass makes gradients of the same sizes.

    A part of it does not depend on the images (all codes, for one), a part is proportional to them, and in the decoder to the
    samples, too. Three small passes measure the three.
    """
    few, more = experiment.config.few_samples()
    smallest, more_images, more_samples = (
        _kept_for_backward(experiment, *shape) for shape in ((few, 2), (few, 3), (more, 2))
    )
    of_sample = (more_samples - smallest) / (2 * (more - few))
    of_few = more_images - smallest
    images = min(batch_size, len(experiment.data.train.images))
    return round(2 * (smallest + (images - 2) * of_few + images * (samples - few) * of_sample))


def _kept_for_backward(experiment: Experiment, samples: int, batch_size: int) -> int:
    """The bytes that are still allocated once the forward pass is done."""
    model = experiment.model
    objective = copy.deepcopy(experiment.objective)  # so that its buffers do not change
    objective.samples = samples
    like = next(model.parameters())
    x = like.new_zeros(batch_size, experiment.data.train.images.shape[1])
    noise = like.new_zeros(objective.rows, batch_size, model.latent.decoder_inputs)
    schedule = {name: like.new_ones(()) for name in objective.schedule(0)}
    module = Loss(model, objective)
    allocations = _Allocations([*module.parameters(), *module.buffers(), x, noise])
    with allocations:
        loss, _ = module(StepInputs(x, x, noise), schedule)
    kept = allocations.kept()
    del loss  # which has kept them
    return kept


class _Allocations(TorchDispatchMode):
    """Knows the storages that operations have made, beside those of `earlier` tensors. Hooks of saved tensors would know
    them, too, but torch.func refuses these."""

    def __init__(self, earlier: Iterable[Tensor]) -> None:
        super().__init__()
        self._earlier = {tensor.untyped_storage()._cdata for tensor in earlier}
        self._made: dict[int, tuple[StorageWeakRef, int]] = {}

    def kept(self) -> int:
        return sum(size for storage, size in self._made.values() if not storage.expired())

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._earlier:
                    self._made[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        return result


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
