"""Interruptions that arrive while Python finalizes an object. Imports nothing heavy."""

import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

from vae_cli.errors import Interrupted

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def raise_again() -> None:
    """Call it once in a process. Python ignores an exception in a finalizer (`__del__`), and prints its traceback. An
    interruption that a handler has raised there is raised again a moment later."""
    otherwise = sys.unraisablehook

    def raise_lost(number: int, frame: FrameType | None) -> None:
        raise Interrupted.by_signal("interrupted")

    def hook(lost: "UnraisableHookArgs") -> None:
        try:
            if issubclass(lost.exc_type, KeyboardInterrupt):
                signal.signal(signal.SIGALRM, raise_lost)
                signal.setitimer(signal.ITIMER_REAL, 0.05)
            else:
                otherwise(lost)
        except KeyboardInterrupt:  # a second signal
            hook(lost)

    sys.unraisablehook = hook
