"""Calls that a signal disturbs at any moment, and that are made again, end bit for bit as if nothing had disturbed them.

make test-crash N=1000 SEED=7 draws a thousand kills from a seed of its own; a violation names the test that repeats it.
"""

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest
from command_server import Finished
from integration.crash.kills import HOW, PATIENCE, Kill, disturb, draw
from integration.crash.progress import progress
from integration.places import assert_readable, assert_same, temporary
from integration.trials import CALLS, LONGEST, Trials

KILLS = int(os.environ.get("VAE_CLI_TRIALS", "3"))
SEED = os.environ.get("VAE_CLI_SEED", "0")
INTERRUPTED = 130
WITH_PROCESSES = ("packed in two processes", "joblib")
ORDER = (
    "train", "sweep", "eval", "packed", "compare", "resume", "train, saved at each step", "eval again",
    "packed in two processes", "compare again",
)  # fmt: skip
HAS_JOBLIB = "hydra-joblib-launcher" in {distribution.name for distribution in distributions()}


def scenarios() -> Iterator[tuple[int, str, int]]:
    """Number, call and kills of each scenario. joblib's workers import torch, so that its calls take longest."""
    kills, number = 0, 0
    while kills < KILLS:
        generator = random.Random(f"{SEED}/{number}")
        count = min(generator.choice([1, 1, 1, 2, 3]), KILLS - kills)
        name = "joblib" if HAS_JOBLIB and number % 40 == 30 else ORDER[number % len(ORDER)]
        yield number, name, count
        kills, number = kills + count, number + 1


@pytest.fixture(scope="module")
def met() -> Iterator[list[tuple[str, str, str]]]:
    """Signal, call and moment of each kill."""
    found: list[tuple[str, str, str]] = []
    yield found
    lines = [f"{n:5}  {how:20}{call:28}{when}" for (how, call, when), n in sorted(Counter(found).items())]
    print(f"\n{len(found)} kills:", *lines, sep="\n", file=sys.stderr)


@pytest.mark.parametrize(("number", "name", "count"), list(scenarios()))
def test_disturbed_and_called_again_is_undisturbed(trials, tmp_path, met, number, name, count):
    generator, place = random.Random(f"{SEED}/{number}/kills"), tmp_path / name
    trials.prepare(name, place)
    history: list[str] = []
    try:
        while count:
            when = _disturb(trials, name, place, generator, history)
            if when is None:
                trials.prepare(name, place)  # a call may end before the moment that was drawn
                history.clear()
            else:
                met.append(when)
                count -= 1
        _go_on(trials, name, place, generator)
    except AssertionError as error:
        error.add_note(f"{name}, seed {SEED}, scenario {number}: {'; '.join(history)}")
        raise


def _words(name: str, place: Path, generator: random.Random) -> tuple[str, ...]:
    """The same command, or the one that resumes the run."""
    call = CALLS[name]
    can_resume = call.resumed and (place / "run/checkpoints/last.pt").exists()
    return call.resumed if call.resumed and can_resume and generator.random() < 0.5 else call.words


def _disturb(
    trials: Trials, name: str, place: Path, generator: random.Random, history: list[str]
) -> tuple[str, str, str] | None:
    """Make the call, and disturb it. Returns signal, call and moment; None if it ended before."""
    kill, whole = draw(generator, name in WITH_PROCESSES), trials.undisturbed(name)
    before = temporary(place)
    finished, is_met = disturb(trials.server, _words(name, place, generator), place, kill, whole)
    history.append(f"{kill}: status {finished.returncode}{'' if is_met else ', missed'}")
    _check_end(name, finished, kill)
    assert_readable(place)
    if finished.returncode >= 0 and signal.SIGKILL not in HOW[kill.how].signals:
        # of a call that was killed; the next one may not come to removing it
        assert set(temporary(place)) <= set(before)
    when = "while it starts" if kill.by == "cold" else progress(place, whole.place, kill.fraction)
    return (kill.how, name, when) if is_met else None


def _check_end(name: str, finished: Finished, kill: Kill) -> None:
    """One line if it was interrupted, no line if the signal ended the process or came too late, and no process left."""
    how, said = HOW[kill.how], finished.stdout + finished.stderr
    if kill.by == "cold" and finished.returncode == -signal.SIGINT:
        assert "vae_cli/__main__.py" not in said, said  # before it is imported, Python answers Ctrl-C
        return
    assert not finished.timed_out and not finished.left_processes, said
    if (
        name == "joblib"
    ):  # its plugin warns, and Python answers Ctrl-C by a traceback while it starts in a worker
        assert "vae_cli/" not in said and "fault of vae-cli" not in said, said
        return
    assert "Traceback" not in said and "fault of vae-cli" not in said and "Exception ignored" not in said, (
        said
    )
    interrupted = f"{finished.args[0]}: interrupted"
    if finished.returncode == INTERRUPTED:
        (line,) = finished.stderr.splitlines()
        assert line.startswith(interrupted), line
    elif finished.returncode == 1:  # of several processes, only some may have got the signal
        assert name in WITH_PROCESSES and finished.stderr == "", said
    elif finished.returncode < 0:  # perhaps it was killed after the first signal
        assert -finished.returncode in how.signals, said
        assert finished.stderr == "" or finished.stderr.startswith(interrupted), said
    else:
        assert finished.returncode == 0 and finished.stderr == "", said


def _go_on(trials: Trials, name: str, place: Path, generator: random.Random) -> None:
    words = _words(name, place, generator)
    done = trials.server.run(*words, cwd=place, time_limit=LONGEST, patience=PATIENCE)
    assert done.returncode == 0 and (done.stderr == "" or name == "joblib"), done.stderr
    assert not done.left_processes
    assert_same(place, trials.undisturbed(name).place, CALLS[name].tolerance)
