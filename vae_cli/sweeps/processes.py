"""Work in forks of this process: a member in one of its launcher's worker, shares of a packed sweep in one a GPU."""

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from tqdm import tqdm

from vae_cli.runs.folder import RunFolder

T = TypeVar("T")


def apart(work: Callable[[], T], folder: RunFolder) -> T | None:
    """What `work` returns from a fork of this process; None where that was killed, and summary.json says so. joblib and
    submitit_local give up the whole sweep when one worker dies, say for its memory: this way the worker lives, and with
    it, in joblib's, the torch that it has imported."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the fork, too, which saves itself
    try:
        ((answer, status),) = beside([work])
    finally:
        signal.signal(signal.SIGINT, before)
    if status < 0:
        error = f"its process was killed by {signal.Signals(-status).name}; the same command goes on with it"
        folder.write_summary({"status": "interrupted", "error": error})
    return answer


def beside(works: Sequence[Callable[[], T]]) -> list[tuple[T | None, int]]:
    """What each returns (as JSON can say it) from a fork of its own, all at once, and its exit status; None where it was
    killed or raised."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    children = [_fork(work) for work in works]
    answers = []
    for child, answer in children:
        with os.fdopen(answer) as pipe:
            said = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answers.append((json.loads(said) if said else None, status))
    return answers


def _fork(work: Callable[[], T]) -> tuple[int, int]:
    """The child, and where its answer is read. Those forked later hold no end of it that could keep it open."""
    answer, question = os.pipe()
    if (child := os.fork()) == 0:
        os.close(answer)
        _answer(work, question)
    os.close(question)
    return child, answer


def _answer(work: Callable[[], T], question: int) -> None:
    status = 1
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which os._exit would leak
    try:
        os.write(question, json.dumps(work()).encode())
        status = 0
    finally:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)  # nothing of the worker's is ours to clean up
