"""The trainer: what it logs and saves does not depend on how steps are made, and when last.pt is due."""

import signal
from typing import Any

import pytest
import torch
from conftest import SMALL_MODEL, SMALL_RECTANGLES, configured
from engine.steps import ALL_SCHEDULES, execute, new_state
from run_comparison import assert_equal_runs, saved

from vae_cli.config.schema.run import RunConfig
from vae_cli.engine.cuda_graph import CudaGraphRunner
from vae_cli.engine.runners import Runner
from vae_cli.engine.runtimes import Eager
from vae_cli.engine.trainable import SingleRun, Trainable
from vae_cli.errors import Interrupted
from vae_cli.runs.folder import RunFolder
from vae_cli.training.log import run_log
from vae_cli.training.logger import RunLogger
from vae_cli.training.run import run
from vae_cli.training.session import Session
from vae_cli.training.trainer import Trainer


def small(*overrides: str) -> RunConfig:
    base = (*SMALL_RECTANGLES, *SMALL_MODEL, "data.train_size=100", "precision=float64", "runtime=eager")
    return configured(*base, *overrides)


def captured(runtime: Eager, trainable: Trainable) -> Runner:
    """Replaces runtime=eager: the steps of a CUDA graph, which are executed instead of replayed."""
    return CudaGraphRunner(trainable, 4, None, execute)


@pytest.mark.parametrize("log_every", [1, 7, 50])
def test_a_run_of_captured_steps_is_the_run(tmp_path, monkeypatch, log_every):
    """Checkpoints, summary, and every metric at its step."""
    config = small(*ALL_SCHEDULES, f"log_every={log_every}")
    run(config, tmp_path / "eager")
    monkeypatch.setattr(Eager, "__call__", captured)
    run(config, tmp_path / "captured")
    assert_equal_runs(tmp_path / "captured", tmp_path / "eager", 1e-9)


@pytest.mark.parametrize("resumed_by", [Eager.__call__, captured], ids=["eager", "captured"])
def test_a_run_of_captured_steps_can_be_resumed(tmp_path, monkeypatch, resumed_by):
    """Interrupted between two log lines, in the middle of an epoch."""
    config, whole, interrupted = small("log_every=5"), tmp_path / "whole", tmp_path / "interrupted"
    run(config, whole)
    step = Session.step

    def disturbed(session: Session, batch: Any) -> torch.Tensor:
        metrics = step(session, batch)
        if session.state.step == 24:
            signal.raise_signal(signal.SIGTERM)
        return metrics

    with monkeypatch.context() as patch:
        patch.setattr(Eager, "__call__", captured)
        patch.setattr(Session, "step", disturbed)
        with pytest.raises(Interrupted):
            run(config, interrupted)
    assert saved(interrupted)["step"] == 24
    monkeypatch.setattr(Eager, "__call__", resumed_by)
    run(config, interrupted)
    assert_equal_runs(interrupted, whole, 1e-9)


@pytest.fixture
def trainer(tmp_path):
    state, folder = new_state(), RunFolder(tmp_path)
    with (
        run_log(folder.log_file, console=False) as log,
        RunLogger(folder, log, 0, state.experiment.total_steps, progress=False) as logger,
    ):
        yield Trainer(state, Eager()(SingleRun(state)), logger, folder)


def test_best_pt_does_not_delay_last_pt(trainer):
    """Only last.pt restarts the clock by which it is due."""
    started = trainer.checkpointed
    trainer.save("best")
    assert trainer.checkpointed == started
    trainer.save("last")
    assert trainer.checkpointed > started


def test_batches_end_with_the_last_step(trainer):
    """Every image of an epoch is in one batch; a resumed run begins in the middle of its epoch."""
    trainer.state.step = trainer.total_steps - 2
    sizes = []
    while (batch := trainer.next_batch()) is not None:
        sizes.append(len(batch))
        trainer.state.step += 1
    assert sizes == [8, 4] and trainer.next_batch() is None


def test_there_is_no_batch_after_early_stopping(trainer):
    trainer.config = trainer.config.model_copy(update={"patience": 1})
    trainer.state.stale = 1
    assert trainer.next_batch() is None


def test_time_that_went_to_other_runs_is_not_training_time(trainer):
    batch = trainer.next_batch()
    metrics = trainer.runner(batch)
    trainer.batch_given -= 100  # the other runs took 100 s
    start = trainer.interval_start = trainer.batch_given
    trainer.after(metrics, seconds=2.0)
    assert trainer.interval_start - start == pytest.approx(98, abs=1)
