"""hydra/launcher=packed: a sweep's members, or those of them that can share a program, train as one model."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


class PackedLauncher(Launcher):
    """Hydra composes each member as for its own launcher; vae_cli.sweeps.packed.multi_gpu then trains all."""

    def __init__(self, max_members: int | None, processes: int | None) -> None:
        self.max_members, self.processes = max_members, processes

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config, self.hydra_context = config, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from vae_cli.sweeps.packed.multi_gpu import spread  # Hydra imports this file whatever is launched

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        jobs = [self._composed(initial_job_idx + i, each) for i, each in enumerate(job_overrides)]
        spread([job.return_value for job in jobs], self.max_members, self.processes)
        for job in jobs:
            job.return_value = job.return_value.objective_value
        return jobs

    def _composed(self, number: int, overrides: Sequence[str]) -> JobReturn:
        """A job that has done nothing yet but to become a Member."""
        from vae_cli.sweeps.job import Job
        from vae_cli.sweeps.packed.scheduler import Member

        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        return run_job(
            lambda cfg: Member(Job.current(cfg)),
            config, "hydra.sweep.dir", "hydra.sweep.subdir", self.hydra_context, configure_logging=False,
        )  # fmt: skip
