"""One run folder from start to end: build, train, test, draw, sum up."""

import fcntl
import json
import logging
import os
import platform
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

from vae_cli import __version__, checkpoint, evaluate, plots
from vae_cli.config import build
from vae_cli.data import is_binary
from vae_cli.errors import UserError
from vae_cli.journal import Journal
from vae_cli.train import Diverged, Experiment, State, Trainer

log = logging.getLogger("vae_cli")

Summary = dict[str, Any]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; a checkpoint has been written where there was anything to keep."""


def run(config: dict[str, Any], folder: Path, *, resume: bool = False, progress: bool = True) -> float | None:
    """Train what `config` describes into `folder` and return the best validation elbo (None without validation).
    A folder that holds this very run finished is left as it is.

    Raises UserError, Diverged or Interrupted, each after summary.json has said so.
    """
    with locked(folder), Signals() as signals:
        if resume and (done := _finished(folder, config)):
            log.info("%s has finished its %g epochs; epochs=N with a larger N goes on", folder, done["epochs"])
            return (done["validation"] or {}).get("elbo")
        started = time.time()
        summary: Summary = {"status": "failed", "versions": versions()}
        try:
            experiment = build(config)
            state = State(experiment, Generator(_device(experiment)).manual_seed(config["seed"]))
            if resume:
                state.load_state_dict(checkpoint.load(folder / "checkpoints/last.pt", config))
            announce(experiment, folder, state.step)
            train_and_test(state, folder, signals, summary, progress)
            return None if state.best == float("-inf") else state.best
        except (Interrupted, KeyboardInterrupt):
            summary |= {"status": "interrupted"}
            raise Interrupted(resume_hint(folder)) from None
        except Exception as error:
            summary |= {"status": "diverged" if isinstance(error, Diverged) else "failed", "error": str(error)}
            raise
        finally:
            summary["wall_seconds"] = time.time() - started
            write_summary(folder, summary)


def train_and_test(state: State, folder: Path, signals: "Signals", summary: Summary, progress: bool) -> None:
    parts = state.experiment
    journal = Journal(folder, state.step, parts.settings.epochs * parts.steps_per_epoch, progress)
    try:
        text = yaml.safe_dump(parts.config, sort_keys=False, allow_unicode=True)
        journal.configuration(text, parts.config, folder.name)
        trainer = Trainer(state, journal, folder, signals.received)
        status = trainer.fit()
        summary |= {
            "steps": state.step,
            "epochs": trainer.epoch,
            "seconds": state.seconds,
            "examples_per_second": state.examples / state.seconds if state.seconds else None,
            "device": str(_device(parts)),
        }
        if status == "interrupted":
            raise Interrupted
        signals.raise_from_now_on()
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
            figures |= evaluate.nll(parts.model, data, data.test, settings.nll_samples, bar.update, seed=3)
    result["test"] = figures
    floor = data.entropy
    nll = figures.get("nll")
    gap = None if floor is None or nll is None else nll - floor  # type: ignore[operator]
    result["data"] = {"name": parts.config["data"]["name"], "entropy": floor, "gap": gap}
    journal.figures("test", step, epoch, figures | ({"gap": gap} if gap is not None else {}))
    return result


def draw(parts: Experiment, folder: Path) -> None:
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    data, model, config = parts.data, parts.model, parts.config
    what = f"{config['data']['name']}, {config['latent']['name']} code of {model.latent.code_size}"
    side = plots.SAMPLE_SIDE
    origin = "the prior" if model.latent.has_density else "a Gaussian fitted to the test codes"
    samples = plots.grid(plots.samples(model, data, side * side), data.shape, side, magnify=2)
    plots.save(figures / "samples.png", samples, f"{side} × {side} decoded codes from {origin}: {what}")
    images = plots.reconstructions(model, data)
    rows = plots.grid(images, data.shape, len(images) // 2, magnify=3)
    title = f"test images and their reconstructions: {what}"
    plots.save(figures / "reconstructions.png", rows, title, ("observation", "reconstruction"))


def announce(parts: Experiment, folder: Path, step: int) -> None:
    """The first lines on the console."""
    data, config, device = parts.data, parts.config, _device(parts)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    counts = "/".join(f"{len(split.images):,}" for split in (data.train, data.validation, data.test))
    size = sum(p.numel() for p in parts.model.parameters())
    log.info("device    %s (%s), %s", device, where, config["precision"])
    shape = "×".join(map(str, data.shape))
    entropy = "" if data.entropy is None else f", entropy {data.entropy:.3f} nats"
    log.info("data      %s, %s images of %s%s", config["data"]["name"], counts, shape, entropy)
    log.info("model     %s, %s parameters, likelihood %s", config["network"]["name"], f"{size:,}", config["likelihood"]["name"])
    log.info("code      %s, %d units, estimator %s", config["latent"]["name"], parts.model.latent.code_size, config["estimator"]["name"])
    log.info("folder    %s", folder)
    if step:
        log.info("resumed   at step %d", step)
    if parts.model.likelihood.is_discrete and not is_binary(data):
        log.warning(
            "likelihood=bernoulli on grey pixels: the figures are a cross-entropy, not a likelihood; comparable among "
            "themselves alone (a density for grey pixels: likelihood=continuous_bernoulli)"
        )
    if not parts.model.latent.has_density:
        log.warning("latent=deterministic has no likelihood: elbo is minus the distortion, no bound, and nll is not given")


def report(summary: Summary, folder: Path) -> None:
    """The table at the end."""
    test, data = summary["test"], summary["data"]
    rows = [(name, test[name], "nats") for name in ("elbo", "rate", "distortion")]
    if "nll" in test:
        rows += [("nll", test["nll"], f"nats ± {test['nll_standard_error']:.3f}, {test['nll_samples']} samples")]
    if data["entropy"] is not None:
        rows += [("entropy", data["entropy"], "nats: no model can be below")]
    if data["gap"] is not None:
        rows += [("gap", data["gap"], "nats: nll − entropy")]
    log.info("")
    log.info("test, at the best validation elbo (step %d)", summary["best_step"])
    for name, value, unit in rows:
        log.info("  %-12s %10.3f  %s", name, value, unit)
    log.info("  %-12s %10d  of %d", "active units", test["active_units"], len(test["rate_per_unit"]))
    log.info("  %-12s %10.1f  s, %s images/s", "training", summary["seconds"], f"{summary['examples_per_second'] or 0:,.0f}")
    for file in ("figures/samples.png", "figures/reconstructions.png", "summary.json"):
        log.info("  %s", folder / file)
    log.info("  curves: tensorboard --logdir %s", folder)


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
    return summary if summary["status"] == "finished" and summary["epochs"] >= config["epochs"] else None


def versions() -> dict[str, str]:
    return {"vae-cli": __version__, "python": platform.python_version(), "torch": torch.__version__}


def resume_hint(folder: Path) -> str:
    if (folder / "checkpoints/last.pt").exists():
        return f"interrupted; go on with: vae-train resume={folder}"
    return "interrupted before the first checkpoint; nothing to resume"


def _device(parts: Experiment) -> torch.device:
    return next(parts.model.parameters()).device


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
    """SIGINT and SIGTERM ask the training loop to stop after the step; a second one, or one outside of
    training, raises Interrupted where it finds the program."""

    def __enter__(self) -> "Signals":
        self.pending = False
        self.raising = False
        try:
            self.previous = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread, as under some launchers: the process keeps its own handling
            self.previous = {}
        return self

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.pending or self.raising:
            raise Interrupted
        self.pending = True

    def received(self) -> bool:
        return self.pending

    def raise_from_now_on(self) -> None:
        self.raising = True
        if self.pending:
            raise Interrupted

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
