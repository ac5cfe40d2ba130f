"""Gives each run a place on this machine: threads, and a GPU. Imports torch only to set the threads or the GPU."""

import fcntl
import os
import stat
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vae_cli.config.hardware import core_count, gpu_count, parallel_jobs
from vae_cli.errors import UserError
from vae_cli.runs.files import open_to_write

GPUS_OF_THE_SWEEP = "VAE_CLI_GPUS"  # holds CUDA_VISIBLE_DEVICES of the process that the user started


@contextmanager
def place(launcher: str, threads: int | str, jobs_per_gpu: int) -> Iterator[None]:
    """Wait for a free place on this machine, hold it, and set the threads of torch."""
    with _reserved_place(launcher, threads, jobs_per_gpu):
        limit_threads(threads)
        yield


@contextmanager
def _reserved_place(launcher: str, threads: int | str, jobs_per_gpu: int) -> Iterator[None]:
    """Wait for one of `parallel_jobs` lock files, and hold it. Needed for joblib on GPUs, which joblib does not count,
    and for submitit_local, which starts all members at once. Other launchers limit the members that run at once
    themselves."""
    if launcher == "submitit_local":
        restore_gpus()
    elif launcher != "joblib" or not gpu_count():
        yield
        return
    places = parallel_jobs(threads, jobs_per_gpu)
    if launcher == "submitit_local":  # joblib divides the cores itself
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, core_count() // places)))
    files: list[BinaryIO] = []
    try:
        files += [open_to_write(_private_folder() / str(i)) for i in range(places)]
        number = _lock_one(files)
        if gpu_count() > 1:
            import torch

            torch.cuda.set_device(number % gpu_count())
        yield
    finally:
        for file in files:
            file.close()  # frees the lock


def _private_folder() -> Path:
    """A folder in the system's temporary directory that belongs to this user alone: anyone may have made one of its name
    before, to see or to redirect what is written to it. Raises UserError for such a folder."""
    folder = Path(tempfile.gettempdir()) / f"vae-cli-places-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UserError(f"{folder} is no folder of yours alone: remove it, or set TMPDIR to another folder")
    return folder


def _lock_one(files: Sequence[BinaryIO]) -> int:
    """The number of the file that this process has locked."""
    while True:
        for number, file in enumerate(files):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return number
        time.sleep(0.5)


def limit_threads(threads: int | str) -> None:
    """Set the number of torch's threads. "auto" means the cores that Slurm gave the task; without Slurm, torch decides
    (OMP_NUM_THREADS, or one for each core). Raises UserError for more threads than this process gets."""
    given = os.environ.get("SLURM_CPUS_PER_TASK", "") if threads == "auto" else str(threads)
    if given.isdecimal() and int(given) > 0:  # Slurm also writes such as 2(x3)
        import torch

        if int(given) > core_count():
            _refuse_too_many(int(given))
        torch.set_num_threads(int(given))


def _refuse_too_many(threads: int) -> None:
    """Start so many threads, because OpenMP ends the process where it gets no more."""
    release, started = threading.Event(), list[threading.Thread]()
    try:
        for _ in range(threads):
            started.append(thread := threading.Thread(target=release.wait))
            thread.start()
    except (RuntimeError, MemoryError) as error:
        raise UserError(
            f"threads={threads} are more than the {len(started) - 1} that this process gets; there are {core_count()} cores"
        ) from error
    finally:
        release.set()
        for thread in started:
            if thread.ident is not None:
                thread.join()


def remember_gpus() -> None:
    """Store which GPUs this process sees, for the members of submitit_local."""
    os.environ.pop(GPUS_OF_THE_SWEEP, None)
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        os.environ[GPUS_OF_THE_SWEEP] = os.environ["CUDA_VISIBLE_DEVICES"]


def restore_gpus() -> None:
    """Undo what submitit_local does to a member: it hides all GPUs, or shows the first GPUs of the machine."""
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if GPUS_OF_THE_SWEEP in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = os.environ[GPUS_OF_THE_SWEEP]
