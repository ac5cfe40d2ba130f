"""What asks a run to end, or to save itself."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from vae_cli.errors import Interrupted

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)


class Signals:
    """SIGINT, SIGTERM and SIGHUP raise Interrupted; within `with signals.defer():` the first one only sets `wish`, which
    the training loop looks at after each step, and the same signal again raises.

    SIGUSR2 is how Slurm announces preemption or the time limit (sbatch --signal): the same, and where `with` ends
    the job is put back into the queue. SIGTERM of a job that submitit runs under Slurm is no more than a wish for a
    checkpoint: Slurm itself then kills the job or puts it back, and one that ended by itself it would not put back.
    """

    def __init__(self) -> None:
        self.wish: str | None = None  # "end", "save"
        self.received: set[int] = set()
        self.deferring = 0  # runs that look at the wish themselves
        self.requeue: Callable[[], Any] | None = None

    def __enter__(self) -> "Signals":
        self.previous: dict[int, Any] = {}
        try:
            for number in ENDS:
                nohup = number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
                if not nohup:
                    self.previous[number] = signal.signal(number, self._handle)
        except ValueError:  # not the main thread: the process keeps its own handling
            pass
        return self

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM and self._is_slurms():
            self.wish = self.wish or ("save" if self.deferring else None)
            return
        if number == signal.SIGUSR2:
            self.requeue = self._requeue
        if not self.deferring or number in self.received:
            raise Interrupted
        self.received.add(number)
        self.wish = "end"

    def _is_slurms(self) -> bool:
        return "SLURM_JOB_ID" in os.environ and callable(self.previous[signal.SIGUSR2])

    def _requeue(self) -> None:
        if callable(before := self.previous[signal.SIGUSR2]):  # submitit's: puts the job back and exits
            before(signal.SIGUSR2, None)
        elif job := os.environ.get("SLURM_ARRAY_JOB_ID"):
            subprocess.run(["scontrol", "requeue", f"{job}_{os.environ['SLURM_ARRAY_TASK_ID']}"], check=False)
        elif job := os.environ.get("SLURM_JOB_ID"):
            subprocess.run(["scontrol", "requeue", job], check=False)

    def take(self) -> str | None:
        """The wish; one for a checkpoint is told once."""
        wish = self.wish
        if wish == "save":
            self.wish = None
        return wish

    @contextmanager
    def defer(self) -> Iterator[None]:
        self.deferring += 1
        try:
            yield
        finally:
            self.deferring -= 1

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        if self.requeue:
            self.requeue()
