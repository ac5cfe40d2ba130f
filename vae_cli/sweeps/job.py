"""One job that Hydra has composed: a run of its own, or a sweep's member."""

import logging
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vae_cli.config import resolvers
from vae_cli.config.compose import accept, plain, saved_config
from vae_cli.config.failures import one_line, reported
from vae_cli.errors import Interrupted, RunLocked, RunRefused, UserError
from vae_cli.runs.folder import RunFolder, Summary
from vae_cli.sweeps import resources
from vae_cli.sweeps.folder import sweep_of
from vae_cli.sweeps.monitor import MONITORS
from vae_cli.sweeps.search import is_search
from vae_cli.sweeps.summary import earlier_failure
from vae_cli.training.steps import Asking, Shared, alone

log = logging.getLogger("vae_cli")

GIVE_UP = ("joblib", "submitit_local")  # launchers that end with the first worker that is killed
T = TypeVar("T")

resolvers.register()  # in launchers' workers, too, which import this module to call `job`
Told = float | list[float] | None  # what a search is told of a member


def job(cfg: DictConfig) -> Told:
    """What Hydra calls. A member does not raise: its folder says how it ended, and the sweep's end reads it there."""
    hydra_cfg = HydraConfig.get()
    folder = RunFolder(Path(hydra_cfg.runtime.output_dir))
    if hydra_cfg.mode == RunMode.RUN:
        return told(
            reported("vae-train", lambda: alone(logged(start(cfg, folder, progress=True)))), cfg.returns
        )
    to_the_file_alone()
    if launcher() not in GIVE_UP or folder.finished(cfg.epochs):
        return alone(contained(cfg, folder))
    if launcher() == "joblib":
        import vae_cli.training.run  # noqa: F401  here, so that each fork need not
    from vae_cli.sweeps.processes import apart

    return apart(lambda: alone(contained(cfg, folder)), folder)


def contained(cfg: DictConfig, folder: RunFolder, shared: Shared | None = None) -> Asking[Told]:
    """A member whose failure is its own. `shared` with members that train beside it in this process."""
    if reason := sweep_of(folder).stop_reason():
        log.info("not started: %s", reason)
        return None
    try:
        waits = is_search(HydraConfig.get())
        return told((yield from logged(member(cfg, folder, waits, shared))), cfg.returns)
    except Interrupted:
        if MONITORS:  # the process that the user started: the sweep ends with its member
            raise Interrupted("interrupted; the same command goes on with the sweep") from None
    except Exception as error:
        if cfg.fail_fast and not isinstance(error, RunLocked):
            sweep_of(folder).stop(f"{folder.name} failed, and fail_fast is true")
    return None


def member(cfg: DictConfig, folder: RunFolder, waits: bool, shared: Shared | None) -> Asking[Summary]:
    """Raises what ended it, after the folder has said so. `waits`: for another process that writes the folder, as of
    two trials of a search that came out the same and run side by side."""
    try:
        while True:
            if (earlier := earlier_failure(folder)) and not cfg.retry_failed:
                raise RunRefused(f"{earlier}; retry_failed=true tries it again")
            try:
                return (yield from start(cfg, folder, progress=False, shared=shared))
            except RunLocked:
                if not waits or sweep_of(folder).stop_reason():
                    raise
            time.sleep(0.5)
    except RunRefused as error:
        folder.refuse(error)
        raise
    except Exception as error:
        if not folder.summary_file.exists():  # it ended before the run could say so itself
            folder.write_summary({"status": "failed", "error": one_line(error) or repr(error)})
        raise


def start(
    cfg: DictConfig, folder: RunFolder, progress: bool, shared: Shared | None = None
) -> Asking[Summary]:
    """Make the folder this configuration's, and train what is left to train."""
    hydra_cfg = HydraConfig.get()
    with folder.locked():
        folder.refuse_other_configuration(plain(cfg))
        if done := said_to_be_finished(folder, cfg.epochs):
            return done
        record(folder, cfg, hydra_cfg, hydra_cfg.overrides.task)
        with resources.seat(launcher(), cfg.threads, cfg.jobs_per_gpu):
            return (yield from train(cfg, folder, progress, shared))


def record(folder: RunFolder, cfg: DictConfig, hydra_cfg: Any, overrides: Sequence[str]) -> None:
    """Write .hydra/ once nothing can be refused any more; Hydra itself would write it before."""
    folder.record(
        config=OmegaConf.to_yaml(cfg),
        hydra=OmegaConf.to_yaml({"hydra": hydra_cfg}),
        overrides=OmegaConf.to_yaml(OmegaConf.create(list(overrides))),
    )


def launcher() -> str:
    """What starts this sweep's members; nothing of a single run."""
    hydra_cfg = HydraConfig.get()
    return str(hydra_cfg.runtime.choices.get("hydra/launcher")) if hydra_cfg.mode == RunMode.MULTIRUN else ""


def resume(folder: RunFolder, epochs: str | None, external_targets: bool = False) -> Summary:
    """vae-train resume=RUN_FOLDER [epochs=N]: the run's own configuration, with nothing but `epochs` changed."""
    cfg = saved_config(folder.config_file)
    before = cfg.epochs
    if epochs is not None:
        cfg.epochs = OmegaConf.from_dotlist([f"epochs={epochs}"]).epochs
    cfg.external_targets = external_targets  # what this call allows, not the call that began the run
    accept(cfg)
    if not folder.last.exists():
        raise UserError(
            f"resume={folder} has no {folder.last.relative_to(folder.path)}: nothing to go on with; start the run anew"
        )
    with folder.locked():
        log_to(folder.log_file)
        if cfg.epochs != before:
            log.info("epochs    %s → %s; everything else is as it was", before, cfg.epochs)
            folder.record(config=OmegaConf.to_yaml(cfg))
        done = said_to_be_finished(folder, cfg.epochs)
        return done or alone(logged(train(cfg, folder, progress=True)))


def said_to_be_finished(folder: RunFolder, epochs: int) -> Summary | None:
    if done := folder.finished(epochs):
        log.info("%s has finished its %g epochs; epochs=N with a larger N goes on", folder, done["epochs"])
    return done


def train(
    cfg: DictConfig, folder: RunFolder, progress: bool, shared: Shared | None = None
) -> Asking[Summary]:
    config = accept(cfg)
    resources.limit_threads(cfg.get("threads", "auto"))
    from vae_cli.training.run import steps  # torch is imported here, after the configuration was accepted

    return (yield from steps(config, folder.path, progress, shared))


def told(summary: Summary, returns: str | list[str]) -> Told:
    """The validation figures that `returns` names, at the best checkpoint; None without validation."""
    figures = summary.get("validation") or {}
    if isinstance(returns, str):
        return figures.get(returns)
    return [figures[name] for name in returns] if figures else None


def to_the_file_alone() -> None:
    """A member's lines go to its train.log; the sweep's console has one line for each member."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if not isinstance(handler, logging.FileHandler)]:
        root.removeHandler(handler)


def log_to(file: Path) -> None:
    """What Hydra's job_logging does for a new run: plain lines on the console, dated ones in the file."""
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[logging.StreamHandler(sys.stdout), dated(file)]
    )


def dated(file: Path) -> logging.FileHandler:
    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    return handler


def logged(work: Asking[T]) -> Asking[T]:
    """Let a run's failure stand in its own train.log; what is not the user's fault with its traceback."""
    try:
        return (yield from work)
    except RunRefused:  # the run of that folder is another
        raise
    except Exception as error:
        record = logging.LogRecord(
            log.name, logging.ERROR, __file__, 0, one_line(error) or traceback.format_exc(), None, None
        )
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.FileHandler):
                handler.emit(record)
        raise
