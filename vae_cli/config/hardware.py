"""The GPUs and cores that this process may use, counted without torch: the YAML files of the launchers refer to them."""

import os
from pathlib import Path

GPUS = Path("/proc/driver/nvidia/gpus")


def gpu_count() -> int:
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return len([device for device in visible.split(",") if device not in ("", "-1")])
    return len(list(GPUS.iterdir())) if GPUS.exists() else 0


def core_count() -> int:
    return len(os.sched_getaffinity(0))


def parallel_jobs(threads: int | str, jobs_per_gpu: int) -> int:
    """How many runs this machine takes at once: `jobs_per_gpu` on each GPU; without a GPU, one for every `threads` cores
    (auto: for each core)."""
    cores_per_job = threads if isinstance(threads, int) else 1
    return gpu_count() * jobs_per_gpu or max(1, core_count() // cores_per_job)


def gpu_share(jobs_per_gpu: int) -> float:
    """The part of one GPU that one run gets; 0 without a GPU. Ray counts in steps of 0.0001."""
    return (10_000 // jobs_per_gpu) / 10_000 if gpu_count() else 0.0
