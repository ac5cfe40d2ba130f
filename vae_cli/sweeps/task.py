"""The function that Hydra calls for each job, here or in a launcher's worker."""

import signal

from omegaconf import DictConfig

from vae_cli.config import finalizers, resolvers
from vae_cli.config.compose import merge_launchers_silently
from vae_cli.config.failures import reported
from vae_cli.runs.folder import Summary
from vae_cli.runs.occupied import removed_if_refused
from vae_cli.sweeps.job import Job
from vae_cli.sweeps.member import ObjectiveValue, note, objective_value, train_member
from vae_cli.sweeps.processes import end_with, run_in_fork
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.run import train

FRAGILE_LAUNCHERS = ("joblib", "submitit_local")  # they give up the sweep when one of their workers is killed

# here, because a launcher's worker imports this module before it composes and resolves a configuration
merge_launchers_silently()
resolvers.register()
finalizers.raise_again()


def task(cfg: DictConfig) -> ObjectiveValue:
    """Train one run, and return the value that a search optimizes. A member of a sweep does not raise: see
    `train_member`."""
    job = Job.current(cfg)
    if not job.launcher:
        return objective_value(reported("vae-train", lambda: _train_single_run(job)), cfg.returns)
    if job.launcher == "joblib":
        end_with(job.call.pid)
    if job.launcher not in FRAGILE_LAUNCHERS or job.has_finished():
        return train_member(job)
    if job.launcher == "joblib":
        import vae_cli.training.trainer  # noqa: F401  # imports torch once for all forks of this worker
    value, status = run_in_fork(lambda: train_member(job))
    if status < 0:
        killed = f"its process was killed by {signal.Signals(-status).name}; the same command continues it"
        note(job, "interrupted", killed)
    elif status:
        note(job, "failed", f"its process ended with status {status}")
    return value


def _train_single_run(job: Job) -> Summary:
    with (
        removed_if_refused(job.folder),
        Interrupts() as interrupts,
        job.session(interrupts, console=True) as run,
    ):
        return train(run)
