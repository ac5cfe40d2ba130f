"""Chooses the device, copies numbers to it, and keeps the memory of a CPU."""

import ctypes
from typing import Any

import torch
from torch import Tensor

from vae_cli.errors import UserError

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h


def choose_device(name: str) -> torch.device:
    """The device of auto, cpu, cuda or cuda:N. Raises UserError for CUDA where there is none."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(
            f"device={name}, but this machine or this torch has no CUDA; allowed here are auto, cpu"
        )
    device = torch.device("cuda" if name == "auto" else name)
    if (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device={name} does not exist; this machine has {torch.cuda.device_count()} CUDA devices"
        )
    return device


def to_device(numbers: Any, like: Tensor) -> Tensor:
    """Numbers as a tensor with the type and on the device of `like`. They are copied from pinned memory, because the
    host would otherwise wait for the device."""
    host = torch.tensor(numbers, dtype=like.dtype, pin_memory=like.is_cuda)
    return host.to(like.device, non_blocking=True)


def keep_memory() -> None:
    """Makes glibc keep the memory that a step frees for the next step. By default it returns large blocks to the system,
    which then clears thousands of pages in each step of convolutions. Has no effect on other allocators."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
