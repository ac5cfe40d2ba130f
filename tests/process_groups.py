"""The other processes of a command: which they are, and whether they outlive it."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

PAUSE = 0.02


def members(group: int) -> list[int]:
    """The processes of a process group that have not ended."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_alive_in(group, path.name)]


def outlived(group: int, patience: float) -> bool:
    """Whether processes of the group, whose first process has ended, are still alive after so many seconds. They are
    killed then."""
    end = time.monotonic() + patience
    while left := members(group):
        if time.monotonic() >= end:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(PAUSE)
    return False


def _is_alive_in(group: int, pid: str) -> bool:
    try:
        state, _, its_group = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(its_group) == group and state not in "ZX"
