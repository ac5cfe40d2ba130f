"""What a run that fails leaves behind: good checkpoints, and nothing that is logged twice after it is resumed."""

import errno
import math
import os
import time
from pathlib import Path

import pytest
import torch
from conftest import configured
from integration.resume.interrupted import BASE, EPOCHS, STEPS_PER_EPOCH, at_step
from run_comparison import assert_equal_runs, metrics, saved, summary
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.record_writer import RecordWriter

from vae_cli.errors import Diverged
from vae_cli.runs import checkpoint
from vae_cli.training import final
from vae_cli.training.run import run
from vae_cli.training.session import Session


def crash() -> None:
    raise RuntimeError("power cut")


def test_what_was_logged_after_the_checkpoint_is_removed_when_the_run_resumes(
    tmp_path, uninterrupted, monkeypatch
):
    """A crash between two checkpoints leaves later lines than the checkpoint, and perhaps half a line."""
    overrides = (*BASE, "checkpoint.epochs=1")
    with monkeypatch.context() as patch:
        at_step(patch, 17, crash)
        with pytest.raises(RuntimeError):
            run(configured(*overrides), tmp_path)
    assert summary(tmp_path)["status"] == "failed" and "power cut" in summary(tmp_path)["error"]
    assert saved(tmp_path)["step"] == 14 and metrics(tmp_path)[-1]["step"] == 15
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "epoch": 0.4, "spl')
    run(configured(*overrides), tmp_path)
    assert_equal_runs(uninterrupted(*overrides), tmp_path)


def test_after_a_crash_in_the_end_the_test_is_logged_once(tmp_path, uninterrupted, monkeypatch):
    """The metrics of the first test are not left beside those of the second one."""
    with monkeypatch.context() as patch:
        patch.setattr(final, "draw", lambda experiment, folder: crash())
        with pytest.raises(RuntimeError):
            run(configured(*BASE), tmp_path)
    assert metrics(tmp_path)[-1]["split"] == "test"
    run(configured(*BASE), tmp_path)
    assert_equal_runs(uninterrupted(*BASE), tmp_path)
    assert len(tensorboard(tmp_path).Scalars("test/elbo")) == 1


def tensorboard(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()


def test_what_was_logged_is_on_disk_before_a_checkpoint(tmp_path, monkeypatch):
    """TensorBoard writes in a thread. What it had not written when the run died would not be logged again."""
    write, save, checked = RecordWriter.write, checkpoint.save, []

    def slow(writer: RecordWriter, record: bytes) -> None:
        time.sleep(0.01)
        write(writer, record)

    def check(path: Path, *arguments: object) -> None:
        logged = [line["step"] for line in metrics(tmp_path) if "gradient_norm" in line]
        checked.append(logged == [event.step for event in tensorboard(tmp_path).Scalars("train/loss")])
        save(path, *arguments)

    monkeypatch.setattr(RecordWriter, "write", slow)
    monkeypatch.setattr(checkpoint, "save", check)
    run(configured(*BASE, "checkpoint.epochs=1"), tmp_path)
    assert len(checked) > EPOCHS and all(checked)


def fill_disk(patch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(os, "fsync", fsync)


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path, uninterrupted, monkeypatch):
    """No half-written file stays, the error names the file, and the run can be resumed."""
    overrides = (*BASE, "checkpoint.epochs=1", "validate_every=3")
    config = configured(*overrides)
    with monkeypatch.context() as patch:
        at_step(patch, 10, lambda: fill_disk(patch))
        with pytest.raises(OSError, match=r"No space left on device"):
            run(config, tmp_path)
    assert saved(tmp_path)["step"] == STEPS_PER_EPOCH
    assert not list(tmp_path.rglob("*.partial"))
    run(config, tmp_path)
    assert_equal_runs(uninterrupted(*overrides), tmp_path)


@pytest.mark.parametrize("parameter", [math.nan, math.inf])
def test_a_state_that_is_not_finite_never_replaces_a_good_one(tmp_path, monkeypatch, parameter):
    """Diverged names step and epoch, the checkpoints are earlier ones, and the summary has the status."""
    config = configured(*BASE, "checkpoint.epochs=1")

    def spoil(session: Session, batch: torch.Tensor) -> torch.Tensor:
        if session.state.step == 9:
            next(session.state.experiment.model.parameters()).data.fill_(parameter)
        return make(session, batch)

    make = Session.step
    monkeypatch.setattr(Session, "step", spoil)
    with pytest.raises(Diverged, match=r"loss is nan at step 10, epoch 2"):
        run(config, tmp_path)
    assert summary(tmp_path)["status"] == "diverged" and "step 10" in summary(tmp_path)["error"]
    for name in ("last", "best"):
        good = saved(tmp_path, name)
        assert good["step"] == STEPS_PER_EPOCH
        assert all(value.isfinite().all() for value in good["model"].values())
