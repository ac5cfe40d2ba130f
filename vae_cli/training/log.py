"""The text log of one run: train.log, and the console where there is one run."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vae_cli.config.failures import one_line
from vae_cli.errors import RunRefused


@contextmanager
def run_log(file: Path, console: bool) -> Iterator[logging.Logger]:
    """A logger of this run alone: dated lines go to `file`, and plain lines to stdout with `console`.

    An error that leaves the context is written to the file: as one line, or with its traceback if it is a fault of this
    program. RunRefused is not written, because the folder belongs to another run.
    """
    log = logging.Logger("vae_cli", logging.INFO)
    dated = logging.FileHandler(file, delay=True)
    dated.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(dated)
    if console:
        log.addHandler(logging.StreamHandler(sys.stdout))
    try:
        yield log
    except RunRefused:
        raise
    except Exception as error:
        message = one_line(error) or traceback.format_exc()
        dated.handle(log.makeRecord(log.name, logging.ERROR, __file__, 0, message, (), None))
        raise
    finally:
        dated.close()
