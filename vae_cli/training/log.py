"""The text log of one run: train.log, and the console where there is one run."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vae_cli.config.failures import one_line
from vae_cli.errors import UserError, printable


class _Printable(logging.Formatter):
    """Names of runs and folders may hold anything; only the lines of a traceback are kept apart."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).splitlines()))


class _LogFile(logging.FileHandler):
    """A run goes on without the lines that its disk does not take: `failure` says so at its end."""

    failure: OSError | None = None

    def handleError(self, record: logging.LogRecord) -> None:
        if isinstance(error := sys.exc_info()[1], OSError):
            self.failure = error
        else:
            super().handleError(record)


@contextmanager
def run_log(file: Path, console: bool) -> Iterator[logging.Logger]:
    """A logger of this run alone: dated lines go to `file`, and plain lines to stdout with `console`.

    An error that leaves the context is written to the file: as one line, or with its traceback if it is a fault of this
    program. UserError is not written: it refuses a run, and then the folder stays as it is.
    """
    log = logging.Logger("vae_cli", logging.INFO)
    dated = _LogFile(file, delay=True, encoding="utf-8")
    dated.setFormatter(_Printable("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(dated)
    if console:
        shown = logging.StreamHandler(sys.stdout)
        shown.setFormatter(_Printable())
        log.addHandler(shown)
    try:
        yield log
    except UserError:
        raise
    except Exception as error:
        message = one_line(error) or traceback.format_exc()
        with suppress(OSError):  # which would hide the error
            dated.handle(log.makeRecord(log.name, logging.ERROR, __file__, 0, message, (), None))
        raise
    finally:
        if dated.failure and console:
            log.removeHandler(dated)
            log.warning("%s is not complete: %s", file, dated.failure.strerror)
        with suppress(OSError):
            dated.close()
