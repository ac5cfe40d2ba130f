"""The function that Hydra calls for each job, here or in a launcher's worker."""

from omegaconf import DictConfig

from vae_cli.config import resolvers
from vae_cli.config.failures import reported
from vae_cli.runs.folder import Summary
from vae_cli.runs.occupied import removed_if_refused
from vae_cli.sweeps.job import Job
from vae_cli.sweeps.member import ObjectiveValue, objective_value, train_member
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.run import train

FRAGILE_LAUNCHERS = ("joblib", "submitit_local")  # they give up the sweep when one of their workers is killed

resolvers.register()  # here, because a launcher's worker imports this module before it resolves a configuration


def task(cfg: DictConfig) -> ObjectiveValue:
    """Train one run, and return the value that a search optimizes. A member of a sweep does not raise: see
    `train_member`."""
    job = Job.current(cfg)
    if not job.launcher:
        return objective_value(reported("vae-train", lambda: _train_single_run(job)), cfg.returns)
    if job.launcher not in FRAGILE_LAUNCHERS or job.folder.finished(cfg.epochs):
        return train_member(job)
    if job.launcher == "joblib":
        import vae_cli.training.trainer  # noqa: F401  # imports torch once for all forks of this worker
    from vae_cli.sweeps.processes import run_in_fork

    return run_in_fork(lambda: train_member(job), job.folder)


def _train_single_run(job: Job) -> Summary:
    with (
        removed_if_refused(job.folder),
        Interrupts() as interrupts,
        job.session(interrupts, console=True) as run,
    ):
        return train(run)
