"""A run that is killed at any moment, and started again, is bit for bit the run that nothing disturbed."""

import functools
import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from run_comparison import CLOCKS, assert_equal_runs, saved, summary
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vae_cli.runs import checkpoint

KILLS = int(os.environ.get("VAE_CLI_KILLS", "3"))  # runs that are killed; make test-crash: 50
SIGKILLED = -9

BEFORE, BETWEEN = "before the first checkpoint", "between two checkpoints"
STEPS_PER_EPOCH, EPOCHS = 38, 9
ARGUMENTS = (
    "data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]",
    "data.train_size=605", "data.validation_size=40", "data.test_size=40",  # the last batch has 13 images
    "latent=bernoulli", "latent.code_size=8", "estimator.anneal_rate=0.005", "network.hidden=[16]",
    "objective.warmup_steps=400", "schedule=cosine", "schedule.warmup_steps=20", "optimizer.lr=0.02",
    "corruption=salt_and_pepper", "corruption.fraction=0.05", "batch_size=16", f"epochs={EPOCHS}",
    "log_every=5", "nll_samples=5", "checkpoint.epochs=1",
)  # fmt: skip
EVERY = {"epoch": 1.0, "step": 1e-9}  # checkpoint.minutes: there is much to do again; many kills meet a write

Train = Callable[..., int]


class Whole(NamedTuple):
    """A run that nothing disturbed."""

    folder: Path
    seconds: float


@pytest.fixture(scope="module")
def train(command) -> Train:
    """`train(every, folder, kill_after=seconds)`: the command that starts a run, and again that goes on with it."""

    def start(every: str, folder: Path, **kill: float) -> int:
        arguments = (*ARGUMENTS, f"checkpoint.minutes={EVERY[every]}", f"hydra.run.dir={folder}")
        done = command("vae-train", *arguments, cwd=folder.parent, **kill)
        assert done.returncode in (0, SIGKILLED) and done.stderr == "", done.stderr
        return done.returncode

    return start


@pytest.fixture(scope="module")
def whole(command, train, tmp_path_factory) -> Callable[[str], Whole]:
    """`whole(every)`, with the seconds that it took; each is run once."""
    parent = tmp_path_factory.mktemp("whole")
    command("vae-train", "--help", cwd=parent)  # waits for torch's import, which is no part of a run

    @functools.cache
    def finished(every: str) -> Whole:
        started = time.perf_counter()
        assert train(every, parent / every) == 0
        return Whole(parent / every, time.perf_counter() - started)

    return finished


@pytest.fixture(scope="module")
def hits() -> Iterator[list[str]]:
    """Where each kill met its run."""
    found: list[str] = []
    yield found
    print(f"\n{len(found)} kills:", *(f"{n} {when}" for when, n in Counter(found).most_common()), sep="\n  ")


def moment(folder: Path) -> str:
    """How far the killed run had come, and whether it was writing a file."""
    writing = ", within a write" if any(folder.rglob(".*.partial")) else ""
    return progress(folder) + writing


def progress(folder: Path) -> str:
    if not (folder / "checkpoints/last.pt").exists():
        return BEFORE
    if (folder / "summary.json").exists():
        return "after the summary"
    if saved(folder)["step"] == STEPS_PER_EPOCH * EPOCHS:
        return "after the last step"
    return BETWEEN


def assert_readable(folder: Path) -> None:
    """Whatever has its name is whole; only the last line of a log may be cut."""
    for path in folder.rglob("*.json"):
        json.loads(path.read_text())
    for path in folder.rglob("*.yaml"):
        assert yaml.safe_load(path.read_text())
    for path in folder.rglob("*.pt"):
        checkpoint.load(path)
    if (folder / "metrics.jsonl").exists():
        *lines, _ = (folder / "metrics.jsonl").read_text().split("\n")
        assert all(isinstance(json.loads(line), dict) for line in lines)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows, but for what a clock says."""
    board = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    tags = [tag for tag in board.Tags()["scalars"] if not tag.endswith(CLOCKS)]
    return {tag: [(event.step, event.value) for event in board.Scalars(tag)] for tag in tags}


def assert_as_if_undisturbed(folder: Path, whole: Path) -> None:
    assert_readable(folder)
    assert_equal_runs(whole, folder)
    assert scalars(folder) == scalars(whole)


def test_the_undisturbed_run_has_what_could_be_lost(whole):
    """So that equality is not that of nothing: figures that move, and a best state that was replaced."""
    folder = whole("epoch").folder
    shown = scalars(folder)
    for name in ("train/loss", "train/temperature", "train/beta", "train/learning_rate", "validation/elbo"):
        assert len({value for _, value in shown[name]}) >= EPOCHS, name
    assert {tag.partition("/")[0] for tag in shown} == {"train", "validation", "test"}
    assert summary(folder)["best_step"] > STEPS_PER_EPOCH


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_and_started_again_is_undisturbed(tmp_path, train, whole, hits, number):
    """At a moment uniform over the run; now and then what goes on is killed too, up to three times."""
    generator, met, every = random.Random(number), [], list(EVERY)[number % 2]
    folder, undisturbed = tmp_path / "run", whole(every)
    while not met:  # a run may end before the moment that was drawn
        shutil.rmtree(folder, ignore_errors=True)
        for _ in range(generator.choice([1, 1, 1, 2, 4])):
            if train(every, folder, kill_after=generator.uniform(0, undisturbed.seconds)) != SIGKILLED:
                break
            met.append(moment(folder))
            assert_readable(folder)
    hits += met
    assert train(every, folder) == 0
    assert_as_if_undisturbed(folder, undisturbed.folder)


def test_the_kills_met_runs_before_and_after_their_first_checkpoint(hits):
    if not hits:
        pytest.skip("counts the kills of the test above")
    assert len(hits) >= KILLS
    if KILLS >= 50:
        assert {BEFORE, BETWEEN} <= set(hits)


@pytest.mark.parametrize(
    "left",
    [(".lock",), (".hydra/.config.yaml.partial",), (".hydra/config.yaml", ".hydra/.hydra.yaml.partial"),
     (".hydra/config.yaml", "checkpoints/best.pt", "checkpoints/.last.pt.partial", "metrics.jsonl")],
    ids=["locked", "no configuration", "half a configuration", "no last checkpoint"],
)  # fmt: skip
def test_killed_before_the_first_checkpoint_starts_anew(tmp_path, train, whole, left):
    """The moments that are too short to be met at random. A file that was being written is there by half."""
    folder, undisturbed = tmp_path / "run", whole("epoch").folder
    for name in left:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = (undisturbed / name.removesuffix(".partial").replace("/.", "/")).read_bytes()
        path.write_bytes(content[: len(content) // 2] if name.endswith(".partial") else content)
    (folder / ".lock").write_text(f"pid {os.getpid()} on {os.uname().nodename}")
    assert train("epoch", folder) == 0
    assert_as_if_undisturbed(folder, undisturbed)
