"""Signals that ask a run to end or to save itself."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from vae_cli.errors import Interrupted
from vae_cli.runs.interrupts import SIGNALS

PATIENCE = 10.0  # seconds in which a run answers: Slurm, for one, kills half a minute after it has asked


class Interrupts:
    """Handles SIGINT, SIGTERM, SIGHUP and SIGUSR2 while it is entered; the runs of one process share one.

    A signal raises Interrupted. Within `with interrupts.defer():` the first one only sets `stop_request`, which a run
    reads after each step; the same signal again raises, and so does a step or a validation that takes longer than PATIENCE:
    the run then goes on from its last checkpoint.

    Slurm announces preemption and the time limit by SIGUSR2 (sbatch --signal): the job is also put back into the queue
    when `with` ends. SIGTERM to a job that submitit runs under Slurm only asks for a checkpoint: Slurm itself then
    kills the job or requeues it, and it does not requeue a job that has ended by itself.
    """

    def __init__(self) -> None:
        self.stop_request: str | None = None  # "end" or "save"
        self.received: set[int] = set()
        self.deferring = 0  # runs that read the stop request themselves
        self.requeue: Callable[[], Any] | None = None

    def __enter__(self) -> "Interrupts":
        self.previous: dict[int, Any] = {}
        Interrupted.raised = False
        try:
            for number in SIGNALS:
                nohup = number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
                if not nohup:
                    self.previous[number] = signal.signal(number, self._handle)
            self.previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._handle_no_answer)
        except ValueError:  # not in the main thread: the handlers of the process stay
            pass
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_waiting()
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        if self.requeue:
            self.requeue()

    def take(self) -> str | None:
        """Returns the stop request; "save" is returned once."""
        if request := self.stop_request:
            self._stop_waiting()
        if request == "save":
            self.stop_request = None
        return request

    @contextmanager
    def defer(self) -> Iterator[None]:
        """Defers signals while a run trains, because it reads the stop request after each step."""
        self.deferring += 1
        try:
            yield
        finally:
            self.deferring -= 1

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM and self._slurm_decides():
            self.stop_request = self.stop_request or ("save" if self.deferring else None)
            return
        if number == signal.SIGUSR2:
            self.requeue = self._requeue
        if not self.deferring or number in self.received:
            raise Interrupted.by_signal()
        self.received.add(number)
        self.stop_request = "end"
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def _handle_no_answer(self, number: int, frame: FrameType | None) -> None:
        if self.deferring:
            raise Interrupted.by_signal()

    def _stop_waiting(self) -> None:
        if signal.SIGALRM in self.previous:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _slurm_decides(self) -> bool:
        """Whether submitit runs this process as a Slurm job: submitit then has a handler of SIGUSR2."""
        return "SLURM_JOB_ID" in os.environ and callable(self.previous[signal.SIGUSR2])

    def _requeue(self) -> None:
        if callable(before := self.previous[signal.SIGUSR2]):  # submitit's requeues the job and exits
            before(signal.SIGUSR2, None)
        elif job := os.environ.get("SLURM_ARRAY_JOB_ID"):
            subprocess.run(["scontrol", "requeue", f"{job}_{os.environ['SLURM_ARRAY_TASK_ID']}"], check=False)
        elif job := os.environ.get("SLURM_JOB_ID"):
            subprocess.run(["scontrol", "requeue", job], check=False)
