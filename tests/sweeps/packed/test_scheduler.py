"""Packed sweeps that are interrupted, fail or do not fit into memory."""

import json
import signal
from collections.abc import Callable
from typing import Any

import hydra
import pytest
import torch
from sweeps.packed.runs import (
    BERNOULLI,
    TWO,
    assert_equal_runs,
    status,
    train_alone,
    train_alone_at,
    train_packed,
)

from vae_cli.build import build
from vae_cli.config.compose import accept
from vae_cli.engine import memory, packed
from vae_cli.engine.state import State
from vae_cli.errors import Interrupted
from vae_cli.runs import checkpoint, lock
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps import member
from vae_cli.sweeps.packed.member import Member
from vae_cli.training import final
from vae_cli.training.trainer import Trainer


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Sends SIGTERM to this process within that step of the stacked model."""
    update = packed.PackedRuns.update

    def interrupted(pack: packed.PackedRuns, *given: Any) -> torch.Tensor:
        step_metrics = update(pack, *given)
        if pack.states[0].step == step - 1:  # the step is counted after `update`
            signal.raise_signal(signal.SIGTERM)
        return step_metrics

    monkeypatch.setattr(packed.PackedRuns, "update", interrupted)


def test_an_interruption_saves_every_member_and_each_can_continue_alone_or_packed(tmp_path, pack_sizes):
    """The first continues alone, then both are members again: the one that has finished trains no more."""
    alone = train_alone(tmp_path / "alone", TWO)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 10)
        with pytest.raises(Interrupted):
            train_packed(tmp_path / "packed", TWO)
    for i in (0, 1):
        assert status(tmp_path / f"packed/{i}") == "interrupted"
        assert checkpoint.load(tmp_path / f"packed/{i}/checkpoints/last.pt")["step"] == 10
        assert lock.owner(tmp_path / f"packed/{i}") is None
    train_alone(tmp_path / "packed", TWO[:1])
    packed_again = train_packed(tmp_path / "packed", TWO)
    assert pack_sizes == [2]
    assert_equal_runs(alone, packed_again)


def test_members_that_were_interrupted_at_different_steps_share_a_model_where_their_batches_allow_it(
    tmp_path, pack_sizes
):
    """All three come from single runs. Two are one epoch apart, the third is at another batch of an epoch."""
    members = [*TWO, (*BERNOULLI, "seed=3")]
    alone = train_alone(tmp_path / "alone", members)
    for i, step in enumerate((3, 10, 12)):
        with pytest.MonkeyPatch.context() as patch:
            after = Trainer.after

            def interrupted(
                trainer: Trainer, *given: Any, step: int = step, after: Callable[..., None] = after
            ) -> None:
                after(trainer, *given)
                if trainer.state.step == step:
                    signal.raise_signal(signal.SIGTERM)

            patch.setattr(Trainer, "after", interrupted)
            with pytest.raises(Interrupted):
                train_alone_at(tmp_path / f"packed/{i}", *members[i])
    packed_again = train_packed(tmp_path / "packed", members)
    assert pack_sizes == [2]
    assert_equal_runs(alone, packed_again)


def test_a_signal_in_the_final_test_of_the_last_member_interrupts_the_sweep(tmp_path, monkeypatch):
    """No member reads a stop request any more."""

    def interrupted(experiment: object, folder: RunFolder) -> None:
        if folder.name == "1":
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(final, "draw", interrupted)
    monkeypatch.setattr(member, "MONITORS", ["this is the process that the user started"])
    with pytest.raises(Interrupted):
        train_packed(tmp_path, TWO)
    assert [status(tmp_path / name) for name in "01"] == ["finished", "interrupted"]


def test_a_second_signal_ends_all_at_once_and_every_folder_says_so(tmp_path, monkeypatch):
    def two_signals(pack: packed.PackedRuns, *given: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(packed.PackedRuns, "update", two_signals)
    with pytest.raises(KeyboardInterrupt):
        train_packed(tmp_path, TWO)
    for i in (0, 1):
        assert status(tmp_path / str(i)) == "interrupted"
        assert lock.owner(tmp_path / str(i)) is None


def test_an_error_while_members_start_ends_the_sessions_that_are_open(tmp_path, monkeypatch):
    start = Member.start

    def fails_at_the_second(member: Member, *given: Any) -> None:
        if member.job.folder.name == "1":
            raise RuntimeError("an error outside the session")
        start(member, *given)

    monkeypatch.setattr(Member, "start", fails_at_the_second)
    with pytest.raises(RuntimeError, match="outside the session"):
        train_packed(tmp_path, TWO)
    assert status(tmp_path / "0") == "failed" and lock.owner(tmp_path / "0") is None


def test_an_error_of_the_common_step_is_a_failure_of_each_member(tmp_path, monkeypatch):
    def fails(pack: packed.PackedRuns, *given: Any) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(packed.PackedRuns, "update", fails)
    for folder in train_packed(tmp_path, TWO):
        summary = json.loads((folder / "summary.json").read_text())
        assert (summary["status"], summary["error"]) == ("failed", "a fault")
        assert "a fault" in (folder / "train.log").read_text()


def test_a_group_that_does_not_fit_is_split_and_the_console_says_so(
    tmp_path, pack_sizes, monkeypatch, capsys
):
    members = [(*BERNOULLI, f"seed={i}") for i in range(5)]
    monkeypatch.setattr(memory, "free_memory", lambda device: 0)
    _, each, _ = memory.members_that_fit(
        State(build(accept(hydra.compose("config", list(BERNOULLI)))), torch.Generator())
    )
    monkeypatch.setattr(memory, "free_memory", lambda device: int(2.2 * each / memory.SHARE))
    folders = train_packed(tmp_path, members)
    assert pack_sizes == [2, 2] and all((folder / "summary.json").exists() for folder in folders)
    assert "2 members as one model, limited by memory" in capsys.readouterr().out
