"""Sends a process a signal at the moment before it changes a file for the n-th time. The command server loads this file in
the process of the command."""

import os
import sys
from typing import Any

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def install(counter: str, at: int | None, number: int | None) -> None:
    """Count the changes into the file `counter`, and send signal `number` at number `at`. Forks go on counting, each for
    itself."""
    file = os.open(counter, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
    os.write(file, b"0")
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in CHANGES or (event == "open" and arguments[2] & WRITING):
            count += 1
            os.pwrite(file, str(count).encode(), 0)
            if count == at and number is not None:
                os.kill(os.getpid(), number)

    sys.addaudithook(hook)
