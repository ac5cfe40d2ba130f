"""Trains one member of a sweep from its start to its end. A failure of the member does not end the sweep."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from vae_cli.config.failures import one_line
from vae_cli.errors import Interrupted, RunLocked, RunRefused, UserError, is_interruption, printable
from vae_cli.runs.folder import FINISHED, Summary
from vae_cli.runs.occupied import removed_if_refused
from vae_cli.sweeps.call import NOT_STARTED, REFUSED, RUNNING
from vae_cli.sweeps.job import Job
from vae_cli.sweeps.monitor import MONITORS, SWEEP_INTERRUPTED
from vae_cli.sweeps.search_keys import is_search
from vae_cli.sweeps.status import earlier_failure
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.outcome import status_after
from vae_cli.training.run import train
from vae_cli.training.session import Session

ObjectiveValue = float | list[float] | None  # what a search optimizes; None where a member has no result


class NotStarted(UserError):
    """The sweep has been stopped before this member."""


def train_member(job: Job) -> ObjectiveValue:
    """Train one member alone, and note in the registry of the sweep how it ended."""
    with ExitStack() as contexts:
        interrupts = contexts.enter_context(Interrupts())
        run = enter_member(job, contexts, interrupts)
        return objective_value(train(run), job.cfg.returns)
    return None  # an error has ended the member


def enter_member(job: Job, contexts: ExitStack, interrupts: Interrupts, **options: Any) -> Session:
    """Enter the session of a member into `contexts`, and return it. `options` as in `Session`.

    From then on, an error that reaches `contexts` ends this member only, an error of this function included. A search may
    run two equal trials at the same time: the second one waits for the first.
    """
    sessions = contexts.enter_context(_noted(job))
    while True:
        if reason := job.call.stop_reason():
            raise NotStarted(reason)
        if (earlier := earlier_failure(job.folder)) and not job.cfg.retry_failed:
            raise RunRefused(f"{earlier}; retry_failed=true tries it again")
        try:
            session = contexts.enter_context(job.session(interrupts, **options))
            sessions.append(session)
            return session
        except RunLocked:
            if not is_search(job.hydra):
                raise
        time.sleep(0.5)


@contextmanager
def _noted(job: Job) -> Iterator[list[Session]]:
    """Note how a member ends, and suppress the error that ends it. A member that is refused leaves nothing. In the process
    that the user started, an interruption is raised, because it ends the sweep. Yields a list for the session."""
    sessions: list[Session] = []
    with suppress(OSError):  # a full disk: how the member ends is said
        job.note(RUNNING)
    try:
        with removed_if_refused(job.folder):
            yield sessions
    except KeyboardInterrupt as error:
        note(job, status_after(error))
        if MONITORS:
            raise Interrupted(SWEEP_INTERRUPTED) from None
        if not isinstance(error, Interrupted):
            raise
    except UserError as error:
        refused = status_after(error) if sessions else REFUSED
        note(job, NOT_STARTED if isinstance(error, NotStarted) else refused, str(error))
        if not isinstance(error, RunLocked | NotStarted):
            _stop_if_asked(job)
    except Exception as error:
        note(job, status_after(error), one_line(error) or repr(error))
        if not is_interruption(error):
            _stop_if_asked(job)
        elif MONITORS:
            raise Interrupted(SWEEP_INTERRUPTED) from None
    else:
        note(job, FINISHED, before=any(session.finished for session in sessions))


def note(job: Job, status: str, error: str | None = None, before: bool = False) -> None:
    """Note what has become of a member. Where that is not possible, the sweep counts the member as failed."""
    try:
        job.note(status, error, before)
    except OSError as reason:
        why = f": {error}" if error else ""
        said = printable(f"{job.folder} is {status}{why}; {one_line(reason)}")
        with suppress(OSError):
            print(f"vae-train: {said}", file=sys.stderr, flush=True)


def _stop_if_asked(job: Job) -> None:
    if job.cfg.fail_fast:
        with suppress(OSError):
            job.call.stop(f"{job.folder.name} failed, and fail_fast is true")


def objective_value(summary: Summary, returns: str | list[str]) -> ObjectiveValue:
    """The validation metrics that `returns` names, at the best checkpoint; None without validation."""
    metrics = summary.get("validation") or {}
    if isinstance(returns, str):
        return metrics.get(returns)
    return [metrics[name] for name in returns if name in metrics] if metrics else None
