"""What Hydra has composed for one run: its configuration, its folder and its launcher."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vae_cli.config.compose import accept
from vae_cli.config.diff import flatten
from vae_cli.config.recorded import to_saved
from vae_cli.config.saved import upgraded
from vae_cli.errors import UserError
from vae_cli.runs.documents import parse_yaml
from vae_cli.runs.folder import FINISHED, RunFolder
from vae_cli.sweeps import resources
from vae_cli.sweeps.call import CURRENT, REFUSED, Entry, SweepCall
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.session import Session


class Job(NamedTuple):
    cfg: DictConfig
    hydra: Any  # Hydra's own configuration
    folder: RunFolder
    launcher: str  # the name of the launcher that starts the members of a sweep; empty for a single run
    calls: tuple[SweepCall, ...]  # the call of the sweep whose member this job is; none for a single run

    @classmethod
    def current(cls, cfg: DictConfig) -> "Job":
        """The job that Hydra is about to run."""
        hydra = HydraConfig.get()
        launcher = hydra.runtime.choices.get("hydra/launcher") if hydra.mode == RunMode.MULTIRUN else ""
        if launcher and not CURRENT:
            raise UserError("a sweep needs hydra.callbacks.before, which config.yaml sets")
        return cls(cfg, hydra, RunFolder(Path(hydra.runtime.output_dir)), str(launcher), tuple(CURRENT))

    @property
    def call(self) -> SweepCall:
        (call,) = self.calls
        return call

    def note(self, status: str, error: str | None = None, before: bool = False) -> None:
        """Note in the registry of the sweep what has become of this member."""
        known = self.folder.config_file.exists() and status != REFUSED
        entry = Entry(
            self.hydra.job.num, str(self.folder), status, os.getpid(), platform.node(), error, before,
            settings={} if known else self._settings(),
        )  # fmt: skip
        self.call.note(entry)

    def _settings(self) -> Mapping[str, Any]:
        """What was asked, as a RunRecord has it."""
        try:
            config = parse_yaml(to_saved(self.cfg).encode(), self.folder.config_file)
        except (OmegaConfBaseException, ValueError):  # that is why it is refused
            return {}
        return flatten(upgraded(config))

    def has_finished(self) -> bool:
        """Whether the folder holds the finished run, so that there is nothing to train."""
        epochs = self.cfg.get("epochs")
        if self.folder.status() != FINISHED or not isinstance(epochs, int):
            return False
        return self.folder.finished(epochs) is not None

    def session(self, interrupts: Interrupts, **options: Any) -> Session:
        """The session of this job's run. `options` as in `Session`. Raises UserError for a configuration that is refused."""
        threads, jobs_per_gpu = self.cfg.get("threads", "auto"), self.cfg.get("jobs_per_gpu", 1)
        place = resources.place(self.launcher, threads, jobs_per_gpu)
        config = accept(self.cfg)
        return Session(config, self.folder, interrupts, record=self._record, place=place, **options)

    def _record(self) -> None:
        """Write .hydra/. Hydra itself would write it too early, before the run can be refused."""
        self.folder.record(
            config=to_saved(self.cfg),
            hydra=OmegaConf.to_yaml({"hydra": self.hydra}),
            overrides=OmegaConf.to_yaml(OmegaConf.create(list(self.hydra.overrides.task))),
        )
