"""hydra/launcher=packed: compatible members of a sweep train as one stacked model.

Hydra looks for launchers in a top-level package `hydra_plugins`, so this file is here.
"""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, configure_log, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


class PackedLauncher(Launcher):
    """Composes each member as Hydra's own launcher does; `vae_cli.sweeps.packed.multi_gpu` trains them all."""

    def __init__(self, max_members: int | None, processes: int | None) -> None:
        self.max_members, self.processes = max_members, processes

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config, self.hydra_context = config, hydra_context

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        # imported here, because Hydra imports this file for every launcher
        from vae_cli.runs.occupied import remove_empty
        from vae_cli.sweeps.packed.multi_gpu import train_in_processes

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        jobs = [self._compose(initial_job_idx + i, overrides) for i, overrides in enumerate(job_overrides)]
        try:
            train_in_processes([job.return_value for job in jobs], self.max_members, self.processes)
        finally:
            for job in jobs:
                # Hydra has made it, and the member has not begun
                remove_empty(job.return_value.job.folder.path)
        for job in jobs:
            job.return_value = job.return_value.objective_value
        return jobs

    def _compose(self, number: int, overrides: Sequence[str]) -> JobReturn:
        """A Hydra job whose result is a Member that has not started."""
        from vae_cli.sweeps.job import Job
        from vae_cli.sweeps.packed.member import Member

        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        return run_job(
            lambda cfg: Member(Job.current(cfg)),
            config, "hydra.sweep.dir", "hydra.sweep.subdir", self.hydra_context, configure_logging=False,
        )  # fmt: skip
