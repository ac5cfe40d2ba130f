"""One run folder from start to end: build, train, test, draw, sum up."""

import logging
import shlex
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from torch import Generator
from tqdm import tqdm

from vae_cli.build import build as built
from vae_cli.config.schema.run import RunConfig
from vae_cli.engine.runtimes import Runner
from vae_cli.engine.state import Experiment, State
from vae_cli.engine.trainable import SingleRun
from vae_cli.errors import Diverged, Interrupted
from vae_cli.metrics import bound as evaluate
from vae_cli.metrics import likelihood as marginal
from vae_cli.runs import checkpoint
from vae_cli.training.console import announce, draw, report
from vae_cli.training.interrupts import Signals
from vae_cli.training.logger import Journal
from vae_cli.training.steps import Asking, Shared, alone
from vae_cli.training.trainer import Trainer
from vae_cli.version import versions

log = logging.getLogger("vae_cli")

Summary = dict[str, Any]


def run(config: RunConfig, folder: Path, progress: bool = True) -> Summary:
    """Train what `config` describes into `folder`, from its last checkpoint where there is one; return what
    summary.json then holds. The caller holds the folder's lock.

    Raises UserError, Diverged or Interrupted, each after summary.json has said so.
    """
    return alone(steps(config, folder, progress))


def steps(config: RunConfig, folder: Path, progress: bool, shared: Shared | None = None) -> Asking[Summary]:
    """The same run, which asks for its steps. `shared` with other runs of this process."""
    with nullcontext(shared.signals) if shared else Signals() as signals:
        build = partial(built, loaded=shared.data if shared else {})
        last = folder / "checkpoints/last.pt"
        saved = checkpoint.load(last, config.plain()) if last.exists() else None
        experiment = build(config) if saved else None  # what fails here leaves an earlier summary as it is
        started = time.time()
        summary: Summary = {"status": "failed", "versions": versions()}
        try:
            experiment = experiment or build(config)
            state = State(experiment, Generator(experiment.device).manual_seed(config.seed))
            if saved is not None:
                state.load_state_dict(saved)
            runner = experiment.runtime(SingleRun(state))
            announce(experiment, runner.says, folder, state.step)
            yield from train_and_test(state, runner, folder, signals, summary, progress)
            return summary
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


def train_and_test(
    state: State, runner: Runner, folder: Path, signals: Signals, summary: Summary, progress: bool
) -> Asking[None]:
    """Fill `summary` on the way, so that it tells how far a run came that does not get to its end."""
    parts = state.experiment
    journal = Journal(folder, state.step, parts.settings.epochs * parts.steps_per_epoch, progress)
    try:
        text = yaml.safe_dump(parts.config.plain(), sort_keys=False, allow_unicode=True)
        journal.configuration(text, parts.config.plain(), folder.name)
        trainer = Trainer(state, runner, journal, folder, signals.take)
        try:
            with signals.defer():
                status = yield from trainer.fit()
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
        result["validation"] = evaluate.bound(
            parts.model, data, data.validation, parts.objective.samples, seed=1
        )
    figures = evaluate.bound(parts.model, data, data.test, parts.objective.samples, seed=2)
    if settings.nll_samples and parts.model.prior() is not None:
        n = len(data.test.images)
        title = f"nll, {settings.nll_samples} samples"
        with tqdm(total=n, desc=title, unit="image", disable=journal.bar.disable, leave=False) as bar:
            figures |= marginal.nll(parts.model, data, data.test, settings.nll_samples, bar.update, seed=3)
    result["test"] = figures
    floor = data.entropy
    nll = figures.get("nll")
    gap = None if floor is None or nll is None else nll - floor  # type: ignore[operator]
    result["data"] = {"name": parts.config.data.name, "entropy": floor, "gap": gap}
    journal.figures("test", step, epoch, figures | ({"gap": gap} if gap is not None else {}))
    return result


def write_summary(folder: Path, summary: Summary) -> None:
    """Last and atomic. A disk that is full must not hide the error that is under way."""
    try:
        checkpoint.write_json(folder / "summary.json", summary)
    except OSError as error:
        log.error("summary.json could not be written: %s", error)


def resume_hint(folder: Path) -> str:
    if (folder / "checkpoints/last.pt").exists():
        return f"interrupted; go on with: vae-train {shlex.quote(f'resume={folder}')}"
    return "interrupted before the first checkpoint; nothing to resume"
