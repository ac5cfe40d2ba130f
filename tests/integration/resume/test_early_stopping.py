"""Early stopping by `patience`, also in a run that is resumed."""

import signal

import pytest
from conftest import configured
from integration.resume.interrupted import BASE, EPOCHS, STEPS_PER_EPOCH, stop_and_go
from run_comparison import assert_equal_runs, summary

from vae_cli.runs.folder import RunFolder

# nothing changes, so that the first validation is the best
STALE = (*BASE, "optimizer.lr=1e-30", "patience=2", "epochs=9")


def test_early_stopping_ends_a_run_and_is_off_by_default(uninterrupted):
    """After `patience` validations without a better elbo. Here the first one is the best."""
    stopped = summary(uninterrupted(*STALE))
    assert stopped["status"] == "finished" and stopped["epochs"] == 3
    assert stopped["best_step"] == STEPS_PER_EPOCH
    assert summary(uninterrupted(*BASE, "optimizer.lr=1e-30"))["epochs"] == EPOCHS


def test_a_run_goes_on_while_the_elbo_rises(uninterrupted):
    assert summary(uninterrupted(*BASE, "patience=1"))["epochs"] == EPOCHS


@pytest.mark.parametrize("steps", [(5,), (14,), (18,), (21,)])
def test_validations_are_counted_across_a_resume(tmp_path, uninterrupted, steps):
    stop_and_go(configured(*STALE), tmp_path, signal.SIGINT, steps)
    assert_equal_runs(uninterrupted(*STALE), tmp_path)


def test_a_run_that_stopped_early_has_finished(uninterrupted):
    """Although epochs are left."""
    folder = uninterrupted(*STALE)
    assert RunFolder(folder).finished(9) == RunFolder(folder).read_summary()
