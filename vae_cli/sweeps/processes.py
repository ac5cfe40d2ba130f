"""Runs functions in forks of this process: one member in a launcher's worker, or the shares of a packed sweep."""

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from vae_cli.runs.interrupts import handlers_wait

T = TypeVar("T")

SECONDS_TO_SAVE = 60.0  # for a member that was asked to end
_watching: set[int] = set()  # the process that watches its parent: a fork inherits the set, but no thread


def end_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """End this process soon after its parent process, which may have been killed: send this process the signal `number`, and
    SIGKILL where it does not end then. Does nothing in the parent process itself, where joblib trains with n_jobs=1."""
    if os.getpid() == parent or os.getpid() in _watching:
        return
    _watching.add(os.getpid())

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), number)
        time.sleep(SECONDS_TO_SAVE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def run_in_fork(work: Callable[[], T]) -> tuple[T | None, int]:
    """The result of `work` in a fork of this process, and the exit status of the fork, which is negative where a signal has
    killed it.

    joblib and submitit_local give up the whole sweep when a worker dies, for example because memory ran out. With a
    fork the worker survives, and a worker of joblib imports torch only once.
    """
    # Ctrl-C reaches the fork as well, which saves itself; the worker waits for it
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ((result, status),) = run_in_forks([work])
    finally:
        signal.signal(signal.SIGINT, before)
    return result, status


def run_in_forks(works: Sequence[Callable[[], T]]) -> list[tuple[T | None, int]]:
    """Run all functions at the same time, each in a fork. Returns the result and the exit status of each. Results are
    passed as JSON; a fork that was killed or raised has the result None."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    children = [_fork(work) for work in works]
    results = []
    for child, pipe in children:
        with os.fdopen(pipe) as file:
            text = file.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        results.append((json.loads(text) if text else None, status))
    return results


def _fork(work: Callable[[], T]) -> tuple[int, int]:
    """The process id of a child that runs `work`, and the pipe that its result comes through. The parent closes the
    writing end before the next fork, so that no sibling keeps the pipe open."""
    reading, writing = os.pipe()
    parent = os.getpid()
    with handlers_wait():
        child = os.fork()
    if child == 0:
        os.close(reading)
        end_with(parent, signal.SIGTERM)
        _run_child(work, writing)
    os.close(writing)
    return child, reading


def _run_child(work: Callable[[], T], pipe: int) -> None:
    """Run `work`, write its result to the pipe and exit."""
    from tqdm import tqdm

    status = 1
    tqdm.set_lock(threading.RLock())  # tqdm's default lock is a semaphore, which os._exit would leak
    try:
        os.write(pipe, json.dumps(work()).encode())
        status = 0
    finally:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)  # the exit handlers belong to the parent
