"""What is said where memory is too little: before it is allocated, and after an allocator has failed."""

import re
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from vae_cli.engine.experiment import Experiment
from vae_cli.engine.memory import batch_bytes, free_after_cleaning, free_memory, parameter_bytes
from vae_cli.errors import OutOfMemory, UserError

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
# what the allocators of the host, of CUDA and of its libraries say, beside torch.OutOfMemoryError and MemoryError
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")

Sizes = Mapping[str, Any]  # key → value: numbers, and lists of numbers


def refuse_too_large(what: str, sizes: Sizes, need: Callable[[Sizes], float], device: torch.device) -> None:
    """Raises UserError if the bytes that `what` needs are not free. Names those of `sizes` that it comes from: the large
    numbers whose half would save a quarter or more."""
    needed = need(sizes)
    if needed <= free_memory(device) or needed <= (free := free_after_cleaning(device)):
        return
    ordered = _by_size(sizes)
    decisive = [key for key in ordered if needed - need(_halved(sizes, key)) >= needed / 4]
    first, *_ = to_lower = (decisive or ordered)[:2]
    raise UserError(
        f"{first}={reprlib.repr(sizes[first])} needs about {in_words(needed)} for {what}; {in_words(free)} are free on {device}: "
        f"lower {' or '.join(to_lower)}"
    )


def refuse_too_large_batch(experiment: Experiment) -> None:
    """Beside the parameters, which are allocated by now."""
    config = experiment.config
    if not config.is_ours():  # what a user's own part needs is not known
        return
    beside = (1 + config.optimizer.moments) * parameter_bytes(experiment.model, experiment.objective)
    refuse_too_large(
        "a batch, gradients and moments",
        config.model_sizes(),
        lambda sizes: beside + batch_bytes(experiment, sizes["batch_size"], sizes["objective.samples"]),
        experiment.device,
    )


def _by_size(sizes: Sizes) -> list[str]:
    return sorted(sizes, key=lambda key: max(_numbers(sizes[key]), default=0), reverse=True)


def _numbers(value: int | Sequence[int]) -> Sequence[int]:
    return [value] if isinstance(value, int) else value


def _halved(sizes: Sizes, key: str) -> Sizes:
    value = sizes[key]
    half = [max(1, number // 2) for number in _numbers(value)]
    return {**sizes, key: half[0] if isinstance(value, int) else half}


def in_words(size: float) -> str:
    """12.3 GB"""
    for unit in UNITS:
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"more than 999 {UNITS[-1]}"


@contextmanager
def out_of_memory_in_words(sizes: Sizes) -> Iterator[None]:
    """Turns the error of an allocator, of the host or of a GPU, into OutOfMemory, with those of `sizes` to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        found = re.search(r"allocate (\d[\d.]* ?(?:bytes|[KMGTPE]iB))", str(error))
        tried = f" (tried to allocate {found[1]})" if found else ""
        large = [
            f"{key}={reprlib.repr(sizes[key])}"
            for key in _by_size(sizes)
            if max(_numbers(sizes[key]), default=0) > 1
        ]
        remedy = f": lower {' or '.join(large)}" if large else ""
        raise OutOfMemory(f"out of memory{tried}{remedy}") from error


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in str(error) for words in OUT_OF_MEMORY
    )
