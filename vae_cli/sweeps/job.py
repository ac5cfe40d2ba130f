"""What Hydra has composed for one run: its configuration, its folder and its launcher."""

from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vae_cli.config.compose import accept, to_saved
from vae_cli.config.schema.run import RunConfig
from vae_cli.errors import RunRefused, UserError
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps import resources
from vae_cli.sweeps.folder import SweepFolder
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.log import run_log
from vae_cli.training.session import Session


class Job(NamedTuple):
    cfg: DictConfig
    hydra: Any  # Hydra's own configuration
    folder: RunFolder
    launcher: str  # the name of the launcher that starts the members of a sweep; empty for a single run

    @classmethod
    def current(cls, cfg: DictConfig) -> "Job":
        """The job that Hydra is about to run."""
        hydra = HydraConfig.get()
        launcher = hydra.runtime.choices.get("hydra/launcher") if hydra.mode == RunMode.MULTIRUN else ""
        return cls(cfg, hydra, RunFolder(Path(hydra.runtime.output_dir)), str(launcher))

    @property
    def sweep(self) -> SweepFolder:
        """The folder of the sweep whose member this job is."""
        return SweepFolder(self.folder.path.parent)

    def session(self, interrupts: Interrupts, **options: Any) -> Session:
        """The session of this job's run. `options` as in `Session`."""
        threads, jobs_per_gpu = self.cfg.get("threads", "auto"), self.cfg.get("jobs_per_gpu", 1)
        place = resources.place(self.launcher, threads, jobs_per_gpu)
        return Session(self._config(), self.folder, interrupts, record=self._record, place=place, **options)

    def _config(self) -> RunConfig:
        """The checked configuration. A refused configuration is written to the folder as well, so that the table at the
        end of the sweep contains this member."""
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
        """Write .hydra/. Hydra itself would write it too early, before the run can be refused."""
        self.folder.record(
            config=to_saved(self.cfg),
            hydra=OmegaConf.to_yaml({"hydra": self.hydra}),
            overrides=OmegaConf.to_yaml(OmegaConf.create(list(self.hydra.overrides.task))),
        )
