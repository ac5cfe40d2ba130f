"""One job that Hydra has composed: a single run, or a member of a sweep."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vae_cli.config import resolvers
from vae_cli.config.compose import accept, saved_config
from vae_cli.config.failures import one_line, reported
from vae_cli.config.schema.run import RunConfig
from vae_cli.errors import Interrupted, RunLocked, RunRefused, UserError
from vae_cli.runs.folder import RunFolder, Summary
from vae_cli.sweeps import resources
from vae_cli.sweeps.folder import SweepFolder, sweep_of
from vae_cli.sweeps.monitor import MONITORS
from vae_cli.sweeps.search import is_search
from vae_cli.sweeps.summary import earlier_failure
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.log import run_log
from vae_cli.training.run import train
from vae_cli.training.session import Session

GIVE_UP = ("joblib", "submitit_local")  # launchers that end with the first worker that is killed
resolvers.register()  # the workers of launchers import this module to call `job`

ObjectiveValue = float | list[float] | None  # what a search is told of a member


class Job(NamedTuple):
    """What Hydra has composed, read once at the start of a job."""

    cfg: DictConfig
    hydra: Any  # Hydra's own configuration
    folder: RunFolder
    launcher: str  # of a sweep's members; empty for a single run

    @classmethod
    def current(cls, cfg: DictConfig) -> "Job":
        hydra = HydraConfig.get()
        launcher = hydra.runtime.choices.get("hydra/launcher") if hydra.mode == RunMode.MULTIRUN else ""
        return cls(cfg, hydra, RunFolder(Path(hydra.runtime.output_dir)), str(launcher))

    @property
    def sweep(self) -> SweepFolder:
        return sweep_of(self.folder)

    def session(self, interrupts: Interrupts, **options: Any) -> Session:
        """The session of this job's run; `options` as in `Session`."""
        place = _place(self.launcher, self.cfg)
        return Session(self._config(), self.folder, interrupts, record=self._record, place=place, **options)

    def _config(self) -> RunConfig:
        """The checked configuration. Where it is refused, the folder says so, because a sweep shows all its members."""
        try:
            return accept(self.cfg)
        except UserError as error:
            with run_log(self.folder.log_file, console=False), self.folder.locked():
                if self.folder.is_trained():
                    raise RunRefused(
                        f"{self.folder} holds a run of another configuration: {error}"
                    ) from error
                self._record()
                raise

    def _record(self) -> None:
        self.folder.record(
            config=OmegaConf.to_yaml(self.cfg),
            hydra=OmegaConf.to_yaml({"hydra": self.hydra}),
            overrides=OmegaConf.to_yaml(OmegaConf.create(list(self.hydra.overrides.task))),
        )


@contextmanager
def _place(launcher: str, cfg: DictConfig) -> Iterator[None]:
    """Waits for a free place on this machine, and limits the threads of torch."""
    with resources.seat(launcher, cfg.get("threads", "auto"), cfg.get("jobs_per_gpu", 1)):
        resources.limit_threads(cfg.get("threads", "auto"))
        yield


def job(cfg: DictConfig) -> ObjectiveValue:
    """What Hydra calls. A member does not raise: its folder says how it ended, and the sweep reads that at its end."""
    this = Job.current(cfg)
    if not this.launcher:
        return objective_value(reported("vae-train", lambda: _single(this)), cfg.returns)
    if this.launcher not in GIVE_UP or this.folder.finished(cfg.epochs):
        return _member(this)
    if this.launcher == "joblib":
        import vae_cli.training.trainer  # noqa: F401  torch, so that each fork need not import it
    from vae_cli.sweeps.processes import apart

    return apart(lambda: _member(this), this.folder)


def _single(this: Job) -> Summary:
    with Interrupts() as interrupts, this.session(interrupts, console=True) as run:
        return train(run)


def resume(folder: RunFolder, epochs: str | None, external_targets: bool = False) -> Summary:
    """vae-train resume=RUN_FOLDER [epochs=N]: the run's own configuration, in which only `epochs` may change."""
    cfg = saved_config(folder.config_file)
    before = cfg.epochs
    if epochs is not None:
        cfg.epochs = OmegaConf.from_dotlist([f"epochs={epochs}"]).epochs
    cfg.external_targets = external_targets  # of this call, not of the call that began the run
    config = accept(cfg)
    if not folder.last.exists():
        raise UserError(
            f"resume={folder} has no {folder.last.relative_to(folder.path)}: there is nothing to resume; start the run anew"
        )

    def record() -> None:
        if cfg.epochs != before:
            session.log.info("epochs    %s → %s; everything else is as before", before, cfg.epochs)
            folder.record(config=OmegaConf.to_yaml(cfg))

    with Interrupts() as interrupts:
        session = Session(config, folder, interrupts, console=True, record=record, place=_place("", cfg))
        with session:
            return train(session)


def _member(this: Job) -> ObjectiveValue:
    with ExitStack() as contexts:
        interrupts = contexts.enter_context(Interrupts())
        if run := enter(this, contexts, interrupts):
            return objective_value(train(run), this.cfg.returns)
    return None


def enter(this: Job, contexts: ExitStack, interrupts: Interrupts, **options: Any) -> Session | None:
    """Enters a member's session; None where the sweep has been halted.

    What goes wrong in `contexts` from here on is the member's own: its folder says so. Of two equal trials of a search
    that run at the same time, the second waits for the first.
    """
    if reason := this.sweep.stop_reason():
        with run_log(this.folder.log_file, console=False) as log:
            log.info("not started: %s", reason)
        return None
    contexts.enter_context(_contained(this))
    while True:
        if (earlier := earlier_failure(this.folder)) and not this.cfg.retry_failed:
            raise RunRefused(f"{earlier}; retry_failed=true tries it again")
        try:
            return contexts.enter_context(this.session(interrupts, **options))
        except RunLocked:
            if not is_search(this.hydra) or this.sweep.stop_reason():
                raise
        time.sleep(0.5)


@contextmanager
def _contained(this: Job) -> Iterator[None]:
    """Keeps what ends a member from the sweep, once the member's folder says it. Raises Interrupted in the process that
    the user started, because that ends the sweep, too."""
    try:
        yield
    except Interrupted:
        if MONITORS:
            raise Interrupted("interrupted; the same command goes on with the sweep") from None
    except RunRefused as error:
        this.folder.refuse(error)
        if this.cfg.fail_fast and not isinstance(error, RunLocked):
            _halt(this)
    except Exception as error:
        if not this.folder.summary_file.exists():  # it failed before the run could write it
            this.folder.write_summary({"status": "failed", "error": one_line(error) or repr(error)})
        if this.cfg.fail_fast:
            _halt(this)


def _halt(this: Job) -> None:
    this.sweep.stop(f"{this.folder.name} failed, and fail_fast is true")


def objective_value(summary: Summary, returns: str | list[str]) -> ObjectiveValue:
    """The validation metrics that `returns` names, at the best checkpoint; None without validation."""
    metrics = summary.get("validation") or {}
    if isinstance(returns, str):
        return metrics.get(returns)
    return [metrics[name] for name in returns] if metrics else None
