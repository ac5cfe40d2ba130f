"""The text log of one run: train.log, and the console where there is one run."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vae_cli.config.failures import one_line
from vae_cli.errors import UserError, printable


class _Printable(logging.Formatter):
    """Names of runs and folders may hold anything; only the lines of a traceback are kept apart."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).splitlines()))


@contextmanager
def run_log(file: Path, console: bool) -> Iterator[logging.Logger]:
    """A logger of this run alone: dated lines go to `file`, and plain lines to stdout with `console`.

    An error that leaves the context is written to the file: as one line, or with its traceback if it is a fault of this
    program. UserError is not written: it refuses a run, and then the folder stays as it is.
    """
    log = logging.Logger("vae_cli", logging.INFO)
    dated = logging.FileHandler(file, delay=True, encoding="utf-8")
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
        dated.handle(log.makeRecord(log.name, logging.ERROR, __file__, 0, message, (), None))
        raise
    finally:
        dated.close()
