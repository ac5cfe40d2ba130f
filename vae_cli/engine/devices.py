"""Which device computes, and how its host keeps memory."""

import ctypes

import torch

from vae_cli.errors import UserError

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h


def keep_memory() -> None:
    """Let glibc keep what a step frees for the next step. It gives large blocks back to the system, which then clears each
    of their pages anew: thousands in a step of convolutions. Other allocators are left as they are."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def choose_device(name: str) -> torch.device:
    """auto, cpu, cuda or cuda:N → the device; cuda without CUDA is refused."""
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
