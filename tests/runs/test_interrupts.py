"""Moments at which signals wait."""

import os
import signal

import pytest

from vae_cli.errors import Interrupted
from vae_cli.runs.interrupts import (
    SIGNALS,
    handlers_wait,
    signals_may_raise,
    signals_raise,
    signals_wait,
)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_and_then_raises(number):
    done = []
    with pytest.raises(Interrupted), signals_raise(), signals_wait():
        signal.raise_signal(number)
        done.append("waited")
    assert done == ["waited"]


def test_within_the_wait_there_are_moments_at_which_signals_raise():
    """What waits raises when such a moment begins, and what comes afterwards waits again."""
    done = []
    with pytest.raises(Interrupted), signals_raise(), signals_wait():
        done.append("made")
        signal.raise_signal(signal.SIGTERM)
        try:
            with signals_may_raise():
                done.append("not reached")
        finally:
            signal.raise_signal(signal.SIGINT)  # no second one interrupts the removal
            done.append("removed")
    assert done == ["made", "removed"]


@pytest.mark.parametrize("number", SIGNALS)
def test_handlers_of_any_kind_wait(number):
    """And are those of before afterwards, in the fork as well."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    before, done = signal.signal(number, interrupt), []
    try:
        with pytest.raises(Interrupted), handlers_wait():
            signal.raise_signal(number)
            done.append("waited")
        assert done == ["waited"] and signal.getsignal(number) is interrupt
    finally:
        signal.signal(number, before)


def test_an_exception_of_a_handler_is_not_lost_in_a_fork(capfd):
    """os.fork calls Python functions in both processes, and Python ignores what these raise."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.register_at_fork(before=lambda: armed and signal.raise_signal(signal.SIGTERM))
    armed = [True]
    try:
        with pytest.raises(KeyboardInterrupt), handlers_wait():
            if (child := os.fork()) == 0:
                os._exit(0)
            os.waitpid(child, 0)
    finally:
        armed.clear()
        signal.signal(signal.SIGTERM, before)
    assert "ignored" not in capfd.readouterr().err
