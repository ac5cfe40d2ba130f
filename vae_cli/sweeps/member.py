"""Trains one member of a sweep from its start to its end. A failure of the member does not end the sweep."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from vae_cli.config.failures import one_line
from vae_cli.errors import Interrupted, RunLocked, RunRefused
from vae_cli.runs.folder import RunFolder, Summary
from vae_cli.sweeps.job import Job
from vae_cli.sweeps.monitor import MONITORS, SWEEP_INTERRUPTED
from vae_cli.sweeps.search_keys import is_search
from vae_cli.sweeps.status import earlier_failure
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.log import run_log
from vae_cli.training.run import train
from vae_cli.training.session import Session

ObjectiveValue = float | list[float] | None  # what a search optimizes; None where a member has no result


def train_member(job: Job) -> ObjectiveValue:
    """Train one member alone. At its end the sweep reads from the member's folder how the member ended."""
    with ExitStack() as contexts:
        interrupts = contexts.enter_context(Interrupts())
        if run := enter_member(job, contexts, interrupts):
            return objective_value(train(run), job.cfg.returns)
    return None


def enter_member(job: Job, contexts: ExitStack, interrupts: Interrupts, **options: Any) -> Session | None:
    """Enter the session of a member into `contexts`, and return it; None where the sweep has been stopped. `options` as
    in `Session`.

    From then on, an error that reaches `contexts` ends this member only. A search may run two equal trials at the same
    time: the second one waits for the first.
    """
    if reason := job.sweep.stop_reason():
        with run_log(job.folder.log_file, console=False) as log:
            log.info("not started: %s", reason)
        return None
    contexts.enter_context(_contained(job))
    while True:
        if (earlier := earlier_failure(job.folder)) and not job.cfg.retry_failed:
            raise RunRefused(f"{earlier}; retry_failed=true tries it again")
        try:
            return contexts.enter_context(job.session(interrupts, **options))
        except RunLocked:
            if not is_search(job.hydra) or job.sweep.stop_reason():
                raise
        time.sleep(0.5)


@contextmanager
def _contained(job: Job) -> Iterator[None]:
    """Write the error that ends a member to the member's folder, and suppress it. In the process that the user started,
    an interruption is raised, because it ends the sweep."""
    try:
        yield
    except Interrupted:
        if MONITORS:
            raise Interrupted(SWEEP_INTERRUPTED) from None
    except RunRefused as error:
        note_refusal(job.folder, error)
        if job.cfg.fail_fast and not isinstance(error, RunLocked):
            _stop_sweep(job)
    except Exception as error:
        if not job.folder.summary_file.exists():  # the session had not begun to write one
            job.folder.write_summary({"status": "failed", "error": one_line(error) or repr(error)})
        if job.cfg.fail_fast:
            _stop_sweep(job)


def note_refusal(folder: RunFolder, reason: RunRefused) -> None:
    """Note for the end of the sweep that this call leaves the folder unchanged: write the refusal note, or, where
    another process holds the folder, update the time of the lock file."""
    if isinstance(reason, RunLocked):
        os.utime(folder.lock_file)
    else:
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.refusal_note.write_text(str(reason))


def _stop_sweep(job: Job) -> None:
    job.sweep.stop(f"{job.folder.name} failed, and fail_fast is true")


def objective_value(summary: Summary, returns: str | list[str]) -> ObjectiveValue:
    """The validation metrics that `returns` names, at the best checkpoint; None without validation."""
    metrics = summary.get("validation") or {}
    if isinstance(returns, str):
        return metrics.get(returns)
    return [metrics[name] for name in returns] if metrics else None
