"""Writes to summary.json how a run ended."""

import logging
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vae_cli.config.failures import one_line
from vae_cli.errors import Diverged, Interrupted, is_interruption
from vae_cli.runs.folder import FINISHED, RunFolder, Summary
from vae_cli.version import versions


@contextmanager
def outcome(folder: RunFolder, log: logging.Logger) -> Iterator[Summary]:
    """Yields the summary to fill, and writes it when the context is left, together with what ended the run.

    The summary says "failed" until the run sets `status` to "finished". The summary of an earlier call is removed first,
    because it describes another state than the one that this call will leave. Raises Interrupted with the command that
    resumes the run, Diverged with the last good checkpoint, and every other exception as it is.
    """
    started = time.time()
    folder.summary_file.unlink(missing_ok=True)
    summary: Summary = {"status": "failed", "versions": versions()}
    try:
        yield summary
    except KeyboardInterrupt as error:
        summary["status"] = status_after(error)
        raise Interrupted(_resume_hint(folder)) from None
    except Diverged as error:
        summary |= {"status": status_after(error), "error": str(error)}
        raise Diverged(f"{error}; {_last_good(folder)}") from error
    except Exception as error:
        summary["status"] = status_after(error)
        if is_interruption(error):
            raise Interrupted(_resume_hint(folder)) from None
        summary["error"] = one_line(error) or str(error)
        raise
    finally:
        summary["wall_seconds"] = time.time() - started
        try:
            folder.write_summary(summary)
        except OSError as error:
            log.error("summary.json could not be written: %s", error)
            if summary["status"] == FINISHED:  # else this error would hide the one that ended the run
                raise


def status_after(error: BaseException) -> str:
    """The status of a run that `error` has ended. An error of the operating system, such as a full disk, interrupts a run as
    a signal does: with the same command it goes on."""
    if is_interruption(error) or isinstance(error, OSError):
        return "interrupted"
    return "diverged" if isinstance(error, Diverged) else "failed"


def _resume_hint(folder: RunFolder) -> str:
    if folder.last.exists():
        return f"interrupted; go on with: vae-train {shlex.quote(f'resume={folder}')}"
    return "interrupted before the first checkpoint; nothing to resume"


def _last_good(folder: RunFolder) -> str:
    return (
        f"the last good checkpoint is {folder.best}"
        if folder.best.exists()
        else "there was no good checkpoint yet"
    )
