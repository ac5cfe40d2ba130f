"""An interruption in a finalizer is not lost."""

import signal
import sys
import time

import pytest

from vae_cli.config.finalizers import raise_again
from vae_cli.errors import Interrupted
from vae_cli.runs.interrupts import signals_raise


def test_an_interruption_in_a_finalizer_is_raised_a_moment_later(monkeypatch, capsys):
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    before = signal.getsignal(signal.SIGALRM)
    raise_again()
    try:
        with pytest.raises(Interrupted), signals_raise():
            Finalized()
            time.sleep(60)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert capsys.readouterr().err == ""
