"""A run that is interrupted and resumed is, bit for bit, the run that was not interrupted."""

import math
import signal

import pytest
from conftest import configured
from integration.resume.interrupted import BASE, LAST, STEPS_PER_EPOCH, VARIANTS, at_step, stop_and_go
from run_comparison import assert_equal_runs, metrics, saved, summary

from vae_cli.errors import Interrupted
from vae_cli.training.run import run


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "steps",
    [(1,), (2,), (3,), (7,), (9,), (LAST,), (2, 5, 7, 8, 20)],
    ids=["first", "mid log interval", "log line", "epoch end", "mid epoch", "last", "five times"],
)
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, uninterrupted, steps, how):
    stop_and_go(configured(*BASE), tmp_path, how, steps)
    assert_equal_runs(uninterrupted(*BASE), tmp_path)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "gaussian"])
def test_a_resumed_run_of_every_kind_is_the_uninterrupted_one(tmp_path, uninterrupted, variant):
    """Each variant adds something to the state: the step of a temperature, a baseline, draws of data and corruption…"""
    overrides = VARIANTS[variant]
    stop_and_go(configured(*overrides), tmp_path, signal.SIGINT, (5, 7, 16))
    assert_equal_runs(uninterrupted(*overrides), tmp_path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_log_values_that_change(uninterrupted, variant):
    """Otherwise the equality of two runs would say little. Every split is logged."""
    lines = metrics(uninterrupted(*VARIANTS[variant]))
    validated = variant != "nothing validated"
    assert {line["split"] for line in lines} == {"train", "test"} | ({"validation"} if validated else set())
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 9 and len(set(losses)) == 9 and all(map(math.isfinite, losses))
    scheduled = {"bernoulli annealed": "temperature", "schedules": "beta"}
    if name := scheduled.get(variant):
        assert len({line[name] for line in lines if name in line}) > 2


def test_after_a_second_signal_within_a_step_the_last_checkpoint_is_resumed(
    tmp_path, uninterrupted, monkeypatch
):
    """A second signal does not wait for the end of the step, and nothing is saved then."""
    config = configured(*BASE, "checkpoint.epochs=1")
    with monkeypatch.context() as patch:
        at_step(patch, 10, lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
        with pytest.raises(Interrupted):
            run(config, tmp_path)
    assert summary(tmp_path)["status"] == "interrupted" and saved(tmp_path)["step"] == STEPS_PER_EPOCH
    run(config, tmp_path)
    assert_equal_runs(uninterrupted(*BASE, "checkpoint.epochs=1"), tmp_path)


def test_the_handlers_of_signals_are_restored(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run(configured(*BASE), tmp_path)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
