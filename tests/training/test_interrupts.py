"""Signals that ask a run to end or to save itself."""

import os
import signal
import stat
import threading
import time

import pytest

from vae_cli.errors import Interrupted
from vae_cli.training.interrupts import Interrupts


@pytest.fixture(autouse=True)
def without_nohup():
    """The tests themselves may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def requeued(monkeypatch):
    """The calls of the handlers that submitit installs in a job of Slurm."""
    calls: list[int] = []
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    numbers = (signal.SIGUSR2, signal.SIGTERM)
    before = {number: signal.signal(number, lambda n, _: calls.append(n)) for number in numbers}
    yield calls
    for number, handler in before.items():
        signal.signal(number, handler)


ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2]


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_deferred_to_the_end_of_a_step_and_the_second_one_is_not(number):
    with Interrupts() as interrupts:
        with interrupts.defer():
            signal.raise_signal(number)
            assert interrupts.take() == "end" == interrupts.take()
            with pytest.raises(Interrupted):
                signal.raise_signal(number)
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)


def test_a_request_without_an_answer_raises(monkeypatch):
    """A validation may take minutes; an answer in time raises nothing."""
    monkeypatch.setattr("vae_cli.training.interrupts.PATIENCE", 0.05)
    with Interrupts() as interrupts, interrupts.defer():
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.take() == "end"
        time.sleep(0.15)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted):
            time.sleep(5)
    time.sleep(0.1)  # nor does anything come after the end


def test_a_request_by_two_signals_is_one_request():
    """Ctrl-C reaches a sweep's member as SIGINT from the terminal and as SIGTERM from the sweep."""
    with Interrupts() as interrupts, interrupts.defer():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.take() == "end"


def test_handlers_are_restored_and_nohup_is_respected():
    before = [signal.getsignal(number) for number in ENDING]
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Interrupts() as interrupts, interrupts.defer():
            signal.raise_signal(signal.SIGHUP)
            assert interrupts.take() is None
    finally:
        signal.signal(signal.SIGHUP, hangup)
    assert [signal.getsignal(number) for number in ENDING] == before


def test_preemption_ends_the_run_and_then_requeues_the_job(requeued):
    with pytest.raises(Interrupted), Interrupts() as interrupts:
        with interrupts.defer():
            signal.raise_signal(signal.SIGUSR2)
            assert interrupts.take() == "end" and requeued == []
        raise Interrupted
    assert requeued == [signal.SIGUSR2]


def test_sigterm_asks_a_slurm_job_for_a_checkpoint(requeued):
    """The request is given once, and not at all where there is nothing to save."""
    with Interrupts() as interrupts:
        with interrupts.defer():
            signal.raise_signal(signal.SIGTERM)
            assert [interrupts.take(), interrupts.take()] == ["save", None]
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.take() is None
    assert requeued == []


@pytest.mark.parametrize(
    ("environment", "job"),
    [({"SLURM_JOB_ID": "7"}, "7"), ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, "7_2")],
)  # fmt: skip
def test_a_slurm_job_without_submitit_calls_scontrol(tmp_path, monkeypatch, environment, job):
    """A batch script that runs vae-train: nothing else requeues it."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with Interrupts() as interrupts, interrupts.defer():
        signal.raise_signal(signal.SIGUSR2)
    assert (tmp_path / "asked").read_text() == f"requeue {job}\n"


def test_outside_the_main_thread_the_handlers_stay():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def in_thread() -> None:
        with Interrupts() as interrupts:
            seen.append((interrupts.take(), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert seen == [(None, before)]
