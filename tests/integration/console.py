"""For the command server: other standard streams than files. `install` is called in the process of a command."""

import os
import sys


def install(kind: str) -> None:
    if kind == "reader gone":  # as with `… | head -0`
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 1)
    elif kind == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    elif kind == "closed":
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.close(number)
            setattr(sys, name, None)  # as Python starts without it
    else:
        sys.stdout.reconfigure(encoding=kind)
        sys.stderr.reconfigure(encoding=kind)
