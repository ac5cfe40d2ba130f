"""Signals that end vae-eval and vae-compare."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vae_cli.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_raise() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise Interrupted, so that what was made for a while is removed. Only the first signal
    does: no second one interrupts the removal."""
    previous = {}
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


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted("interrupted")
