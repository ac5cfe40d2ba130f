"""Calls that meet a full disk, a limit or a disk that fails leave good checkpoints and say one line; made again when there
is room, they end as if nothing had been.

make test-disk N=200 SEED=7 draws two hundred faults from a seed of its own; a violation names the test that repeats it.
"""

import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from command_server import Finished
from integration.disk.disks import Device, why_not
from integration.disk.faults import FAULTS, WITHOUT_MOUNTS, Scene
from integration.places import assert_readable, assert_same, temporary
from integration.trials import CALLS, LONGEST, Trials

WITH_MOUNTS = "VAE_CLI_TRIALS" in os.environ
NUMBER = int(os.environ.get("VAE_CLI_TRIALS", "4"))
SEED = os.environ.get("VAE_CLI_SEED", "0")
ORDER = (
    "train", "eval", "resume", "compare", "sweep", "eval again", "train, saved at each step", "compare again", "packed",
)  # fmt: skip
REASONS = (
    "No space left on device", "File too large", "Too many open files", "Read-only file system", "Input/output error",
)  # fmt: skip
NO_REMOVAL = ("read-only", "fails", "power cut", "few open files")  # what is temporary cannot be removed
TRIES = 12


def scenarios() -> list[tuple[int, str, str]]:
    """Number, call and fault of each scenario."""
    faults = list(FAULTS) if WITH_MOUNTS else WITHOUT_MOUNTS
    return [(i, ORDER[i % len(ORDER)], faults[(i + i // len(ORDER)) % len(faults)]) for i in range(NUMBER)]


@pytest.fixture(scope="module")
def met() -> Iterator[list[tuple[str, str, str]]]:
    """Fault, call and what was said."""
    found: list[tuple[str, str, str]] = []
    yield found
    lines = [f"{n:5}  {fault:16}{call:28}{said}" for (fault, call, said), n in sorted(Counter(found).items())]
    print(f"\n{len(found)} faults of disks and limits:", *lines, sep="\n", file=sys.stderr)


@pytest.fixture(scope="session")
def cannot_mount() -> str | None:
    return why_not()


@pytest.mark.parametrize(("number", "name", "fault"), scenarios())
def test_a_call_that_met_a_fault_goes_on_when_there_is_room(
    trials, tmp_path, met, cannot_mount, number, name, fault
):
    disk, _ = FAULTS[fault]
    if disk and cannot_mount:
        pytest.skip(cannot_mount)
    generator, history = random.Random(f"{SEED}/{number}"), list[str]()
    try:
        with disk(tmp_path / "disk") if disk else nullcontext() as mounted:
            place = (tmp_path / "disk" if disk else tmp_path) / "place"
            scene = Scene(trials.server, CALLS[name].words, place, trials.undisturbed(name), mounted)
            met.append((fault, name, _until_it_fails(trials, scene, fault, generator, history)))
            _go_on(trials, scene)
    except AssertionError as error:
        error.add_note(f"{name}, {fault}, seed {SEED}, scenario {number}: {'; '.join(history)}")
        raise


def _until_it_fails(
    trials: Trials, scene: Scene, fault: str, generator: random.Random, history: list[str]
) -> str:
    """Make the call with the fault, at a level that falls until the call fails. Returns what it says."""
    level = generator.uniform(0, 1.2)
    for _ in range(TRIES):
        trials.prepare(scene.whole.name, scene.place)
        if scene.disk:
            scene.disk.sync()
        finished = FAULTS[fault][1](scene, level)
        history.append(f"level {level:.3f}: status {finished.returncode}")
        assert_readable(scene.place)
        if finished.returncode:
            return _check_failure(finished, scene, fault)
        assert finished.stderr == "" or "-m" in scene.words  # what a sweep notes only for its own table
        _remove_registry(scene.place)
        assert_same(scene.place, scene.whole.place, CALLS[scene.whole.name].tolerance)
        level *= 0.7
    pytest.fail("no level was low enough")


def _check_failure(finished: Finished, scene: Scene, fault: str) -> str:
    """One line that names the reason, where a sweep ends with its table. Returns the reason."""
    said = finished.stdout + finished.stderr
    assert finished.returncode in (1, 2) and not finished.timed_out, said
    assert "Traceback" not in said and "fault of vae-cli" not in said and "Exception ignored" not in said, (
        said
    )
    lines = finished.stderr.splitlines()
    is_sweep = "-m" in scene.words  # the table names its members' reasons, unless the disk does not take them
    assert len(lines) in ((0, 1, 2) if is_sweep else (1,)), said
    assert all(line.startswith(f"{scene.words[0]}: ") for line in lines), said
    reasons = [reason for reason in REASONS if reason in said]
    assert reasons, said
    if fault not in NO_REMOVAL:
        assert temporary(scene.place) == []
    return reasons[0]


def _remove_registry(place: Path) -> None:
    """A sweep removes the registry of its members at its end; where the disk did not take that, the next call does."""
    shutil.rmtree(place / "sweep/.sweep", ignore_errors=True)


def _go_on(trials: Trials, scene: Scene) -> None:
    done = trials.server.run(*scene.words, cwd=scene.place, time_limit=LONGEST)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    assert_same(scene.place, scene.whole.place, CALLS[scene.whole.name].tolerance)


@pytest.mark.skipif(not WITH_MOUNTS, reason="mounts: make test-disk")
@pytest.mark.parametrize("name", ORDER)
def test_what_a_call_has_finished_survives_a_power_cut(trials, tmp_path, cannot_mount, name):
    if cannot_mount:
        pytest.skip(cannot_mount)
    with Device(tmp_path / "disk") as disk:
        place = tmp_path / "disk/place"
        trials.prepare(name, place)
        disk.sync()
        done = trials.server.run(*CALLS[name].words, cwd=place, time_limit=LONGEST)
        assert done.returncode == 0, done.stderr
        disk.cut_power()
        disk.repair()
        _remove_registry(place)
        assert_readable(place)
        assert_same(place, trials.undisturbed(name).place, CALLS[name].tolerance)
