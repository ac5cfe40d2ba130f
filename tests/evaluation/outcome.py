"""What an evaluation left in its run folder, and how vae-eval ended."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vae_cli.runs.documents import read_json_object

QUICK = ["nll_samples=10", "probe=false", "pictures=[]"]
ALWAYS = {"curves", "reconstructions", "samples", "scatter", "interpolations", "traversals", "extremes"}
WITH_PRIOR = {"rates", "likelihood", "bounds"}


class Evaluated(NamedTuple):
    """A run folder after vae-eval, with the lines of the console."""

    folder: Path
    console: str


def summary(folder: Path) -> dict:
    return read_json_object(folder / "evaluation/summary.json")


def figures(folder: Path) -> dict[str, dict]:
    return summary(folder)["figures"]


def events(folder: Path) -> EventAccumulator:
    everything = dict.fromkeys(("scalars", "images", "tensors", "histograms"), 0)
    return EventAccumulator(str(folder), size_guidance=everything).Reload()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_done(run: subprocess.CompletedProcess) -> str:
    """It succeeded without a word on stderr; returns stdout."""
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


def assert_one_line(run: subprocess.CompletedProcess, status: int = 2) -> str:
    """It failed with this exit status and one line on stderr, which is returned."""
    assert run.returncode == status, run.stderr
    assert "Traceback" not in run.stdout + run.stderr, run.stderr
    (line,) = run.stderr.splitlines()
    assert line.startswith("vae-eval: ")
    return line


def assert_refused(command, folder: Path, *arguments: str, words: tuple[str, ...]) -> None:
    """One line with these words, and nothing in the run folder or beside it has changed."""
    before = contents(folder.parent)
    line = assert_one_line(command("vae-eval", f"run={folder}", *arguments, cwd=folder.parent))
    assert all(word in line for word in words), line
    assert contents(folder.parent) == before
