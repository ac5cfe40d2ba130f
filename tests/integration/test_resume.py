"""A run that was stopped and resumed is, bit for bit, the run that was not; and what stops one leaves it whole."""

import errno
import functools
import json
import math
import os
import pickle
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.record_writer import RecordWriter

from vae_cli.build import build
from vae_cli.config.compose import accept, config_folder
from vae_cli.config.schema.run import RunConfig
from vae_cli.engine.runtimes import Eager
from vae_cli.engine.state import State
from vae_cli.engine.trainable import SingleRun
from vae_cli.errors import Diverged, Interrupted, UserError
from vae_cli.runs import checkpoint, lock
from vae_cli.training import run, trainer
from vae_cli.training.logger import Journal
from vae_cli.training.trainer import Trainer

SUBSET = Path(__file__).parents[1] / "data"
STEPS_PER_EPOCH, EPOCHS = 7, 3
LAST = STEPS_PER_EPOCH * EPOCHS

BASE = (
    "data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]",
    "data.train_size=50", "data.validation_size=20", "data.test_size=20",  # 7 batches, the last of 2 images
    "network.hidden=[8]", "latent.code_size=3", "batch_size=8", f"epochs={EPOCHS}", "log_every=3",
    "nll_samples=4", "optimizer.lr=0.01",
)  # fmt: skip
MNIST = (
    "data=binarized_mnist", f"data.root={SUBSET}", "data.validation_size=100", "data.limit=50",
    *BASE[7:],
)  # fmt: skip
VARIANTS = {
    "gaussian": BASE,
    "bernoulli annealed": (*BASE, "latent=bernoulli", "estimator.anneal_rate=0.05"),
    "reinforce": (*BASE, "latent=bernoulli", "estimator=reinforce"),
    "dynamic binarization": MNIST,
    "corruption": (*BASE, "corruption=salt_and_pepper", "corruption.fraction=0.3"),
    "schedules": (*BASE, "schedule=cosine", "schedule.warmup_steps=5", "objective.warmup_steps=4",
                  "objective.cycle_steps=6", "optimizer=sgd", "gradient_clip_norm=5"),
    "nothing validated": (*BASE, "data.validation_size=0"),
    "recorded": (*BASE, "latent=bernoulli", "estimator=reinforce", "runtime=graph"),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def hydra_config():
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """tests/test_cli.py looks at them; here they would take most of the time."""
    monkeypatch.setattr(run, "draw", lambda parts, folder: None)


@functools.cache
def composed(*overrides: str) -> RunConfig:
    return accept(hydra.compose("config", list(overrides)))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Callable[..., Path]:
    """The run folder of overrides that nothing disturbed; each is run once."""

    @functools.cache
    def finished(*overrides: str) -> Path:
        folder = tmp_path_factory.mktemp("uninterrupted")
        run.run(composed(*overrides), folder)
        return folder

    return finished


def at_step(monkeypatch: pytest.MonkeyPatch, steps: tuple[int, ...], event: Callable[[], object]) -> None:
    """Let `event` happen within each of the given steps (counted from 1)."""
    make = trainer.Steps.__call__

    def disturbed(asked: trainer.Steps) -> torch.Tensor:
        rows = make(asked)
        if asked.trainer.state.step in steps:
            event()
        return rows

    monkeypatch.setattr(trainer.Steps, "__call__", disturbed)


def stop_and_go(config: RunConfig, folder: Path, how: signal.Signals, steps: tuple[int, ...]) -> None:
    """Run with a signal within each of `steps`, resuming after each."""
    for step in (*steps, None):
        with pytest.MonkeyPatch.context() as patch:
            if step is None:
                run.run(config, folder)
                return
            at_step(patch, (step,), lambda: signal.raise_signal(how))
            with pytest.raises(Interrupted, match=f"vae-train resume={folder}"):
                run.run(config, folder)
        assert summary(folder)["status"] == "interrupted"
        assert checkpoint.load(folder / "checkpoints/last.pt")["step"] == step


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def figures(folder: Path) -> list[dict]:
    """Every line of metrics.jsonl but for what a clock says."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{key: value for key, value in line.items() if key != "examples_per_second"} for line in lines]


def same(a: object, b: object) -> bool:
    """Bitwise equality of nested states."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return a == b


def state(folder: Path, name: str = "last") -> dict:
    """A checkpoint without its clock."""
    saved = checkpoint.load(folder / f"checkpoints/{name}.pt")
    return {key: value for key, value in saved.items() if key != "seconds"}


def assert_equal_runs(one: Path, other: Path) -> None:
    """Parameters, optimizer, generator, every logged figure, the summary's figures: bit for bit."""
    for name in ("last", "best"):
        a, b = state(one, name), state(other, name)
        assert a.keys() == b.keys()
        differing = [key for key in a if not same(a[key], b[key])]
        assert not differing, f"{name}.pt: {differing}"
    assert figures(one) == figures(other)
    a, b = summary(one), summary(other)
    for key in ("status", "steps", "epochs", "best_step", "validation", "test", "data"):
        assert a[key] == b[key], key
    assert not list(other.rglob("*.partial"))


# --- stopped by a signal ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "steps",
    [(1,), (2,), (3,), (7,), (9,), (LAST,), (2, 5, 7, 8, 20)],
    ids=["first", "mid log interval", "log line", "epoch end", "mid epoch", "last", "five times"],
)
def test_stopped_and_resumed_is_uninterrupted(tmp_path, uninterrupted, steps, how):
    stop_and_go(composed(*BASE), tmp_path, how, steps)
    assert_equal_runs(uninterrupted(*BASE), tmp_path)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "gaussian"])
def test_stopped_and_resumed_is_uninterrupted_for_every_kind_of_state(tmp_path, uninterrupted, variant):
    """What each variant adds to the state: a temperature's step, a baseline, draws of data and corruption…"""
    overrides = VARIANTS[variant]
    stop_and_go(composed(*overrides), tmp_path, signal.SIGINT, (5, 7, 16))
    assert_equal_runs(uninterrupted(*overrides), tmp_path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_log_what_they_are_for(uninterrupted, variant):
    """So that the equality of two runs is not that of nothing: every split, and figures that move."""
    lines = figures(uninterrupted(*VARIANTS[variant]))
    validated = variant != "nothing validated"
    assert {line["split"] for line in lines} == {"train", "test"} | ({"validation"} if validated else set())
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 9 and len(set(losses)) == 9 and all(map(math.isfinite, losses))
    moves = {"bernoulli annealed": "temperature", "schedules": "beta"}
    for name in [moves[variant]] if variant in moves else []:
        assert len({line[name] for line in lines if name in line}) > 2


def test_stopped_twice_in_one_step_goes_on_from_the_last_checkpoint(tmp_path, uninterrupted, monkeypatch):
    """A second signal does not wait for the step's end; nothing is written then."""
    config = composed(*BASE, "checkpoint.epochs=1")
    with monkeypatch.context() as patch:
        at_step(patch, (10,), lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
        with pytest.raises(Interrupted):
            run.run(config, tmp_path)
    assert summary(tmp_path)["status"] == "interrupted" and state(tmp_path)["step"] == STEPS_PER_EPOCH
    run.run(config, tmp_path)
    assert_equal_runs(uninterrupted(*BASE, "checkpoint.epochs=1"), tmp_path)


def test_signals_are_given_back(tmp_path, uninterrupted):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run.run(composed(*BASE), tmp_path)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


# --- stopped by a crash -------------------------------------------------------------------------------------


def crash() -> None:
    raise RuntimeError("power cut")


def test_what_was_logged_after_the_checkpoint_is_cut_on_resume(tmp_path, uninterrupted, monkeypatch):
    """A crash between two checkpoints leaves lines beyond the first, and perhaps half a line."""
    overrides = (*BASE, "checkpoint.epochs=1")
    with monkeypatch.context() as patch:
        at_step(patch, (17,), crash)
        with pytest.raises(RuntimeError):
            run.run(composed(*overrides), tmp_path)
    assert summary(tmp_path)["status"] == "failed" and "power cut" in summary(tmp_path)["error"]
    assert state(tmp_path)["step"] == 14 and figures(tmp_path)[-1]["step"] == 15
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "epoch": 0.4, "spl')
    run.run(composed(*overrides), tmp_path)
    assert_equal_runs(uninterrupted(*overrides), tmp_path)


def test_a_crash_after_the_test_tests_again_once(tmp_path, uninterrupted, monkeypatch):
    """The figures of the test that was not finished are not left beside those of the one that is."""
    with monkeypatch.context() as patch:
        patch.setattr(run, "draw", lambda parts, folder: crash())
        with pytest.raises(RuntimeError):
            run.run(composed(*BASE), tmp_path)
    assert figures(tmp_path)[-1]["split"] == "test"
    run.run(composed(*BASE), tmp_path)
    assert_equal_runs(uninterrupted(*BASE), tmp_path)
    assert len(on_the_board(tmp_path).Scalars("test/elbo")) == 1


def on_the_board(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()


def test_what_was_logged_is_on_disk_before_a_checkpoint(tmp_path, monkeypatch):
    """TensorBoard writes in a thread; what it had not written when the run died would not be logged again."""
    write, save, checked = RecordWriter.write, checkpoint.save, []

    def slow(writer: RecordWriter, record: bytes) -> None:
        time.sleep(0.01)
        write(writer, record)

    def check(path: Path, *arguments: object) -> None:
        logged = [line["step"] for line in figures(tmp_path) if "gradient_norm" in line]
        checked.append(logged == [event.step for event in on_the_board(tmp_path).Scalars("train/loss")])
        save(path, *arguments)

    monkeypatch.setattr(RecordWriter, "write", slow)
    monkeypatch.setattr(checkpoint, "save", check)
    run.run(composed(*BASE, "checkpoint.epochs=1"), tmp_path)
    assert len(checked) > EPOCHS and all(checked)


def full_disk_by_fsync(folder: Path, patch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    patch.setattr(os, "fsync", fsync)


def full_disk_by_device(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """What is written next lands on Linux's always full device: a real ENOSPC."""
    (folder / "checkpoints/.last.pt.partial").symlink_to("/dev/full")


@pytest.mark.parametrize("fill", [full_disk_by_fsync, full_disk_by_device])
def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path, uninterrupted, monkeypatch, fill):
    """Nothing half-written stays; the error names the file; with room again the run goes on."""
    overrides = (*BASE, "checkpoint.epochs=1", "validate_every=3")
    config = composed(*overrides)
    with monkeypatch.context() as patch:
        at_step(patch, (10,), lambda: fill(tmp_path, patch))
        with pytest.raises(OSError, match=r"No space left on device.*last\.pt"):
            run.run(config, tmp_path)
    assert state(tmp_path)["step"] == STEPS_PER_EPOCH
    assert not list(tmp_path.rglob("*.partial"))
    run.run(config, tmp_path)
    assert_equal_runs(uninterrupted(*overrides), tmp_path)


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "file"
    checkpoint.write_atomically(path, b"good")
    (tmp_path / ".file.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as error:
        checkpoint.write_atomically(path, b"better" * 10_000)
    assert error.value.filename == str(path)
    full_disk_by_fsync(tmp_path, monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.write_atomically(path, b"better")
    assert path.read_bytes() == b"good" and [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("parameter", [math.nan, math.inf])
def test_a_state_that_is_not_finite_never_replaces_a_good_one(tmp_path, monkeypatch, parameter):
    """Diverged says so with step and epoch; last.pt is from before; the summary has the status."""
    config = composed(*BASE, "checkpoint.epochs=1")

    def spoil(asked: trainer.Steps) -> torch.Tensor:
        if asked.trainer.state.step == 9:
            next(asked.trainer.parts.model.parameters()).data.fill_(parameter)
        return make(asked)

    make = trainer.Steps.__call__
    monkeypatch.setattr(trainer.Steps, "__call__", spoil)
    with pytest.raises(Diverged, match=r"loss is nan at step 10, epoch 2"):
        run.run(config, tmp_path)
    assert summary(tmp_path)["status"] == "diverged" and "step 10" in summary(tmp_path)["error"]
    for name in ("last", "best"):
        saved = state(tmp_path, name)
        assert saved["step"] == STEPS_PER_EPOCH
        assert all(value.isfinite().all() for value in saved["model"].values())


# --- seeds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_seed_one_run(tmp_path, uninterrupted, variant):
    run.run(composed(*VARIANTS[variant]), tmp_path)
    assert_equal_runs(uninterrupted(*VARIANTS[variant]), tmp_path)


def test_global_generators_have_no_say(tmp_path, uninterrupted):
    torch.manual_seed(123)
    torch.rand(5)
    run.run(composed(*BASE), tmp_path)
    assert_equal_runs(uninterrupted(*BASE), tmp_path)


def test_another_seed_another_run(uninterrupted):
    """Initialization, data order and noise; the images have a seed of their own."""
    one, other = uninterrupted(*BASE), uninterrupted(*BASE, "seed=1")
    assert not same(state(one)["model"], state(other)["model"])
    assert figures(one)[0]["loss"] != figures(other)[0]["loss"]
    assert summary(one)["data"]["entropy"] == summary(other)["data"]["entropy"]


# --- what may change, and what may not ----------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["gaussian", "nothing validated"])
def test_epochs_may_be_raised(tmp_path, uninterrupted, variant):
    """A finished run goes on to where one that was asked for more epochs at once would be."""
    overrides = VARIANTS[variant]
    run.run(composed(*overrides, "epochs=2"), tmp_path)
    assert summary(tmp_path)["epochs"] == 2
    run.run(composed(*overrides), tmp_path)
    whole = uninterrupted(*overrides)
    assert figures(tmp_path) == figures(whole)
    assert summary(tmp_path)["test"] == summary(whole)["test"]
    for name in ("last", "best"):
        assert same(state(tmp_path, name)["model"], state(whole, name)["model"])


def test_epochs_may_be_lowered_below_what_was_trained(tmp_path, monkeypatch):
    """Then the last state is tested, for none has been validated yet."""
    overrides = (*BASE, "validate_every=3", "checkpoint.epochs=1")
    with monkeypatch.context() as patch:
        at_step(patch, (16,), crash)
        with pytest.raises(RuntimeError):
            run.run(composed(*overrides), tmp_path)
    run.run(composed(*overrides, "epochs=1"), tmp_path)
    found = summary(tmp_path)
    assert (found["status"], found["epochs"], found["best_step"]) == ("finished", 2, 2 * STEPS_PER_EPOCH)


@pytest.mark.parametrize(("epochs", "done"), [(EPOCHS, True), (EPOCHS - 1, True), (EPOCHS + 1, False)])
def test_a_finished_run_is_recognized(uninterrupted, epochs, done):
    folder = uninterrupted(*BASE)
    assert lock.finished(folder, epochs) == (summary(folder) if done else None)


def test_an_interrupted_run_has_not_finished(tmp_path):
    assert lock.finished(tmp_path, 1) is None
    interrupted_run(tmp_path)
    assert lock.finished(tmp_path, 1) is None


def interrupted_run(folder: Path, *overrides: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, (9,), lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(Interrupted):
            run.run(composed(*BASE, *overrides), folder)


@pytest.mark.parametrize(
    ("overrides", "listed"),
    [
        (["optimizer.lr=0.5"], ["optimizer.lr was 0.01 and is 0.5"]),
        (
            ["latent.code_size=4", "network.hidden=[8,8]"],
            ["latent.code_size was 3 and is 4", "network.hidden was [8] and is [8, 8]"],
        ),
        (["corruption=masking"], ["corruption.name was none and is masking", "corruption.fraction was null"]),
        (["seed=1"], ["seed was 0 and is 1"]),
    ],
    ids=str,
)
def test_another_configuration_is_refused_with_the_differences(tmp_path, overrides, listed):
    """And changes nothing in the folder but the lock."""
    interrupted_run(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.name == "last.pt"}
    with pytest.raises(UserError, match="another configuration") as error:
        run.run(composed(*BASE, *overrides), tmp_path)
    for difference in listed:
        assert difference in str(error.value)
    assert {path: path.read_bytes() for path in before} == before
    assert summary(tmp_path)["status"] == "interrupted"


# --- checkpoints that are none ------------------------------------------------------------------------------


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    interrupted_run(folder)
    return folder


def with_bomb(path: Path) -> None:
    saved = torch.load(path, weights_only=True)
    torch.save(saved | {"bomb": Bomb(path.with_name("ran"))}, path)


FOREIGN = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no checkpoint at all\n" * 50),
    "another program's": lambda path: torch.save({"state_dict": {"w": torch.zeros(3)}, "epoch": 3}, path),
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "a whole model": lambda path: torch.save(torch.nn.Linear(2, 2), path),
    "another version's": lambda path: torch.save({"format": "vae-cli checkpoint 0"}, path),
    "a pickle with code": lambda path: path.write_bytes(pickle.dumps(Bomb(path.with_name("ran")))),
    "a checkpoint with code": with_bomb,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_no_checkpoint_is_refused_in_words(tmp_path, stopped, kind):
    """It is named, in one line; no code in it runs; what the folder said before stays."""
    folder = tmp_path / "run"
    shutil.copytree(stopped, folder)
    path = folder / "checkpoints/last.pt"
    FOREIGN[kind](path)
    with pytest.raises(UserError) as error:
        run.run(composed(*BASE), folder)
    assert str(error.value).startswith(f"{path} is ") and "\n" not in str(error.value)
    assert "vae-train" in str(error.value)
    assert not path.with_name("ran").exists()
    assert summary(folder)["status"] == "interrupted"


# --- early stopping -----------------------------------------------------------------------------------------

STALE = (*BASE, "optimizer.lr=1e-30", "patience=2", "epochs=9")  # nothing moves: the first validation is best


def test_early_stopping_stops_and_is_off_by_default(uninterrupted):
    """After `patience` validations without a better elbo; the best is the first."""
    stopped = summary(uninterrupted(*STALE))
    assert stopped["status"] == "finished" and stopped["epochs"] == 3
    assert stopped["best_step"] == STEPS_PER_EPOCH
    assert summary(uninterrupted(*BASE, "optimizer.lr=1e-30"))["epochs"] == EPOCHS


def test_early_stopping_waits_while_the_bound_rises(uninterrupted):
    assert summary(uninterrupted(*BASE, "patience=1"))["epochs"] == EPOCHS


@pytest.mark.parametrize("steps", [(5,), (14,), (18,), (21,)])
def test_early_stopping_counts_on_after_a_resume(tmp_path, uninterrupted, steps):
    stop_and_go(composed(*STALE), tmp_path, signal.SIGINT, steps)
    assert_equal_runs(uninterrupted(*STALE), tmp_path)


def test_a_run_that_stopped_early_has_finished(uninterrupted):
    """Though it had epochs left."""
    folder = uninterrupted(*STALE)
    assert lock.finished(folder, 9) == summary(folder)


def test_the_best_checkpoint_does_not_put_off_the_last_one(tmp_path):
    """The clock by which last.pt is due restarts with last.pt alone."""
    state = State(build(composed(*BASE)), torch.Generator().manual_seed(0))
    journal = Journal(tmp_path, step=0, total_steps=LAST, progress=False)
    trainer = Trainer(state, Eager()(SingleRun(state)), journal, tmp_path, lambda: None)
    started = trainer.checkpointed
    trainer.save("best")
    assert trainer.checkpointed == started
    trainer.save("last")
    assert trainer.checkpointed > started
    journal.close()
