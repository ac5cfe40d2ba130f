"""Signals that end vae-eval and vae-compare, and the moments at which any of them has to wait."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vae_cli.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)


class _Waiting:
    """Whether a signal has to wait, and whether one does."""

    now = False
    received = False


@contextmanager
def signals_raise() -> Iterator[None]:
    """SIGINT, SIGTERM, SIGHUP and SIGUSR2 raise Interrupted, so that what was made for a while is removed. Only the first
    signal does: no second one interrupts the removal."""
    previous = {}
    _Waiting.now = _Waiting.received = Interrupted.raised = False
    try:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                previous[number] = signal.signal(number, _interrupt)
    except ValueError:  # not in the main thread: the handlers of the process stay
        pass
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Signals raise after this, or within a `signals_may_raise` in it. Without `signals_raise` it has no effect."""
    with _set(True):
        yield
    _raise_if_received()


@contextmanager
def signals_may_raise() -> Iterator[None]:
    """Within `signals_wait`."""
    with _set(False):
        _raise_if_received()
        yield


@contextmanager
def handlers_wait() -> Iterator[None]:
    """Python calls whatever handlers the signals have after this, and not within it. Python ignores an exception that a
    handler raises within os.fork, and prints its traceback."""
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    waiting = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in waiting:
        signal.signal(number, lambda number, frame: received.append(number))
    try:
        yield
    finally:
        for number, handler in waiting.items():
            signal.signal(number, handler)
    for signal_number in received:
        signal.raise_signal(signal_number)


@contextmanager
def _set(waits: bool) -> Iterator[None]:
    before, _Waiting.now = _Waiting.now, waits
    try:
        yield
    finally:
        _Waiting.now = before


def _raise_if_received() -> None:
    if _Waiting.received and not _Waiting.now:
        _Waiting.received = False
        raise Interrupted.by_signal("interrupted")


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    _Waiting.received = True
    _raise_if_received()
