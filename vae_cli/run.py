"""One run folder from start to end: build, train, test, draw, sum up."""

import fcntl
import json
import logging
import os
import platform
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import yaml
from torch import Generator
from tqdm import tqdm

from vae_cli import __version__, checkpoint, evaluate, marginal
from vae_cli.build import build
from vae_cli.errors import Diverged, Interrupted, UserError
from vae_cli.journal import Journal
from vae_cli.report import announce, draw, report
from vae_cli.state import Experiment, State
from vae_cli.train import Trainer

log = logging.getLogger("vae_cli")

Summary = dict[str, Any]


def run(config: dict[str, Any], folder: Path, *, resume: bool = False, progress: bool = True) -> float | None:
    """Train what `config` describes into `folder` and return the best validation elbo (None without validation).
    A folder that holds this very run finished is left as it is.

    Raises UserError, Diverged or Interrupted, each after summary.json has said so.
    """
    with locked(folder), Signals() as signals:
        saved = checkpoint.load(folder / "checkpoints/last.pt", config) if resume else None
        if resume and (done := _finished(folder, config)):
            log.info(
                "%s has finished its %g epochs; epochs=N with a larger N goes on", folder, done["epochs"]
            )
            return (done["validation"] or {}).get("elbo")
        experiment = build(config) if resume else None  # what fails here leaves an earlier summary as it is
        started = time.time()
        summary: Summary = {"status": "failed", "versions": versions()}
        try:
            experiment = experiment or build(config)
            state = State(experiment, Generator(experiment.device).manual_seed(config["seed"]))
            if saved is not None:
                state.load_state_dict(saved)
            announce(experiment, folder, state.step)
            train_and_test(state, folder, signals, summary, progress)
            return None if state.best == float("-inf") else state.best
        except KeyboardInterrupt:
            summary |= {"status": "interrupted"}
            raise Interrupted(resume_hint(folder)) from None
        except Diverged as error:
            best = folder / "checkpoints/best.pt"
            kept = (
                f"the last good checkpoint is {best}" if best.exists() else "there was no good checkpoint yet"
            )
            summary |= {"status": "diverged", "error": str(error)}
            raise Diverged(f"{error}; {kept}") from error
        except Exception as error:
            summary |= {"error": str(error)}
            raise
        finally:
            summary["wall_seconds"] = time.time() - started
            write_summary(folder, summary)


def train_and_test(state: State, folder: Path, signals: "Signals", summary: Summary, progress: bool) -> None:
    """Fill `summary` on the way, so that it tells how far a run came that does not get to its end."""
    parts = state.experiment
    journal = Journal(folder, state.step, parts.settings.epochs * parts.steps_per_epoch, progress)
    try:
        text = yaml.safe_dump(parts.config, sort_keys=False, allow_unicode=True)
        journal.configuration(text, parts.config, folder.name)
        trainer = Trainer(state, journal, folder, lambda: signals.pending)
        try:
            with signals.defer():
                status = trainer.fit()
        finally:
            summary |= {
                "steps": state.step,
                "epochs": trainer.epoch,
                "stopped_early": trainer.exhausted(),
                "seconds": state.seconds,
                "examples_per_second": state.examples / state.seconds if state.seconds else None,
                "device": str(parts.device),
            }
        if status == "interrupted":
            raise Interrupted
        summary |= test(parts, folder, journal, state.step, trainer.epoch)
        draw(parts, folder)
        summary["status"] = "finished"
        report(summary, folder)
    finally:
        journal.session_end(summary["status"] == "finished")
        journal.close()


def test(parts: Experiment, folder: Path, journal: Journal, step: int, epoch: float) -> Summary:
    """Load the best checkpoint into the model and evaluate it on the validation and test images."""
    best = checkpoint.load(folder / "checkpoints/best.pt")
    parts.model.load_state_dict(best["model"])
    data, settings = parts.data, parts.settings
    result: Summary = {"best_step": best["step"], "validation": None}
    if len(data.validation.images):
        result["validation"] = evaluate.bound(parts.model, data, data.validation, settings.samples, seed=1)
    figures = evaluate.bound(parts.model, data, data.test, settings.samples, seed=2)
    if settings.nll_samples and parts.model.latent.has_density:
        n = len(data.test.images)
        title = f"nll, {settings.nll_samples} samples"
        with tqdm(total=n, desc=title, unit="image", disable=None, leave=False) as bar:
            figures |= marginal.nll(parts.model, data, data.test, settings.nll_samples, bar.update, seed=3)
    result["test"] = figures
    floor = data.entropy
    nll = figures.get("nll")
    gap = None if floor is None or nll is None else nll - floor  # type: ignore[operator]
    result["data"] = {"name": parts.config["data"]["name"], "entropy": floor, "gap": gap}
    journal.figures("test", step, epoch, figures | ({"gap": gap} if gap is not None else {}))
    return result


def write_summary(folder: Path, summary: Summary) -> None:
    """Last and atomic. A disk that is full must not hide the error that is under way."""
    try:
        checkpoint.write_json(folder / "summary.json", summary)
    except OSError as error:
        log.error("summary.json could not be written: %s", error)


def _finished(folder: Path, config: dict[str, Any]) -> Summary | None:
    """The summary of a run that has nothing left to do under `config`."""
    file = folder / "summary.json"
    summary: Summary = json.loads(file.read_text()) if file.exists() else {"status": "unfinished"}
    done = summary["status"] == "finished" and (
        summary["epochs"] >= config["epochs"] or summary.get("stopped_early", False)
    )
    return summary if done else None


def versions() -> dict[str, str]:
    return {"vae-cli": __version__, "python": platform.python_version(), "torch": torch.__version__}


def resume_hint(folder: Path) -> str:
    if (folder / "checkpoints/last.pt").exists():
        return f"interrupted; go on with: vae-train {shlex.quote(f'resume={folder}')}"
    return "interrupted before the first checkpoint; nothing to resume"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Refuse a folder that another process is writing. The kernel frees the lock of a process that dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(f"{folder} is being written by another process ({file.read().strip()})") from None
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {platform.node()}")
        file.flush()
        yield


class Signals:
    """SIGINT and SIGTERM raise Interrupted; inside `with signals.defer():` the first one only sets `pending`, which the
    training loop looks at after each step."""

    def __init__(self) -> None:
        self.pending = self.deferred = False

    def __enter__(self) -> "Signals":
        try:
            self.previous = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread, as under some launchers: the process keeps its own handling
            self.previous = {}
        return self

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.pending or not self.deferred:
            raise Interrupted
        self.pending = True

    @contextmanager
    def defer(self) -> Iterator[None]:
        self.deferred = True
        try:
            yield
        finally:
            self.deferred = False

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
