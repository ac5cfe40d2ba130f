"""Where on this machine a run computes: how many threads, which GPU, and how many runs at once. Imports torch only
when there is something to tell it."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import OmegaConf

GPUS = Path("/proc/driver/nvidia/gpus")
OF_THE_SWEEP = "VAE_CLI_GPUS"  # CUDA_VISIBLE_DEVICES of the process that the user started
# launchers whose members share this machine and know nothing of its GPUs
SHARES = ("joblib", "submitit_local")


def gpus() -> int:
    """The GPUs that this process may use, counted without torch."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return len([device for device in visible.split(",") if device not in ("", "-1")])
    return len(list(GPUS.iterdir())) if GPUS.exists() else 0


def parallel_jobs(threads: int | str, jobs_per_gpu: int) -> int:
    """How many runs this machine takes at once: `jobs_per_gpu` on each GPU, else one for each core or `threads` cores."""
    each = threads if isinstance(threads, int) else 1
    return gpus() * jobs_per_gpu or max(1, len(os.sched_getaffinity(0)) // each)


def gpu_share(jobs_per_gpu: int) -> float:
    """Of one GPU, for one run; Ray counts in steps of 0.0001. 0 without a GPU."""
    return (10_000 // jobs_per_gpu) / 10_000 if gpus() else 0.0


OmegaConf.register_new_resolver("parallel_jobs", parallel_jobs, replace=True)
OmegaConf.register_new_resolver("gpu_share", gpu_share, replace=True)


def remember_gpus() -> None:
    os.environ.pop(OF_THE_SWEEP, None)
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        os.environ[OF_THE_SWEEP] = os.environ["CUDA_VISIBLE_DEVICES"]


def show_gpus_again() -> None:
    """To a member of submitit_local, which hides all of them or shows the machine's first ones."""
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if OF_THE_SWEEP in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = os.environ[OF_THE_SWEEP]


@contextmanager
def seat(launcher: str, threads: int | str, jobs_per_gpu: int) -> Iterator[None]:
    """Wait until one of the machine's places is free and hold it; on a machine with several GPUs it says which one
    `cuda` is. Members of other launchers have been given theirs."""
    if launcher not in SHARES or (launcher == "joblib" and not gpus()):  # joblib itself counts processes
        yield
        return
    if launcher == "submitit_local":
        show_gpus_again()
    places = parallel_jobs(threads, jobs_per_gpu)
    if launcher == "submitit_local":  # joblib itself shares the cores out
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // places)))
    folder = Path(tempfile.gettempdir()) / f"vae-cli-seats-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    files = [(folder / str(i)).open("w") for i in range(places)]
    try:
        number = _free(files)
        if gpus() > 1:
            import torch

            torch.cuda.set_device(number % gpus())
        yield
    finally:
        for file in files:
            file.close()  # and with it the lock


def _free(files: list) -> int:
    while True:
        for number, file in enumerate(files):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return number
        time.sleep(0.5)


def limit_threads(threads: int | str) -> None:
    """`auto`: what Slurm gave the task, else torch's own choice (OMP_NUM_THREADS, or one for each core)."""
    given = os.environ.get("SLURM_CPUS_PER_TASK") if threads == "auto" else threads
    if given is not None:
        import torch

        torch.set_num_threads(int(given))
