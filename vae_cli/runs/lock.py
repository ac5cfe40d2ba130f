"""Locks a folder, so that only one process writes to it, on this host or on another one. Imports no torch."""

import fcntl
import logging
import os
import platform
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vae_cli.errors import RunLocked
from vae_cli.runs.files import open_to_write, read_bytes

log = logging.getLogger("vae_cli")

HEARTBEAT = 30.0  # seconds between two updates of the lock file's time by the process that holds it
STALE = 180.0  # seconds without an update after which another host's lock belongs to a dead process
LONGEST = 1024  # bytes of a lock file


def lock_file(folder: Path) -> Path:
    return folder / ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, which is created if it does not exist.

    Raises RunLocked where another process holds the lock, on this host or another. The kernel frees the lock of a
    process that dies. Some shared file systems do not show the lock to other hosts, so the lock file also names the
    process that holds it, and this process updates the time of the file every HEARTBEAT seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = lock_file(folder)
    with open_to_write(path) as file:
        _take(file.fileno(), path)
        _write(file, f"pid {os.getpid()} on {platform.node()}")
        ended = threading.Event()
        threading.Thread(target=_update_time, args=(path, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with suppress(OSError):  # the disk may be full
                _write(file, "")


def _write(file: BinaryIO, text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text.encode())
    file.flush()


def owner(folder: Path) -> str | None:
    """The process that holds the lock, or died while it held the lock, as "pid N on HOST"; None without one, and where the
    lock file is no file that `locked` writes, or holds anything else: waiting for an owner that never was would take minutes."""
    try:
        text = read_bytes(lock_file(folder), largest=LONGEST).decode(errors="replace")
    except OSError:
        return None
    return text if re.fullmatch(r"pid \d{1,19} on [^\W_][\w.-]*", text) else None


def owner_on_this_host(folder: Path) -> int | None:
    """The process id of the owner, where it is a process of this host."""
    found = re.fullmatch(rf"pid (\d+) on {re.escape(platform.node())}", owner(folder) or "")
    return int(found[1]) if found else None


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock, as far as this host can tell: another host's owner counts as alive."""
    if owner(folder) is None:
        return False
    pid = owner_on_this_host(folder)
    return pid is None or Path(f"/proc/{pid}").exists()


def _take(file: int, path: Path) -> None:
    """Take the kernel's lock, and check whether the file names a process on another host that is alive."""
    kernel_locks = True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _held_error(path) from None
    except OSError:  # the file system has no locks
        kernel_locks = False
    held_by = owner(path.parent)
    if held_by is None:
        return
    if owner_on_this_host(path.parent):
        if not kernel_locks and is_held(path.parent):
            raise _held_error(path)
    elif time.time() - path.stat().st_mtime < STALE:
        _wait_for_an_update(path, held_by)


def _wait_for_an_update(path: Path, held_by: str) -> None:
    """Raise RunLocked if the owner on another host updates the file's time within STALE seconds."""
    seen = path.stat().st_mtime
    log.info(
        "%s is locked by %s; waiting %.0f s to see whether that process is alive", path.parent, held_by, STALE
    )
    end = time.monotonic() + STALE
    while time.monotonic() < end:
        time.sleep(min(1.0, STALE / 10))
        if path.stat().st_mtime != seen:
            raise _held_error(path)


def _held_error(path: Path) -> RunLocked:
    return RunLocked(f"{path.parent} is being written by another process ({owner(path.parent) or 'unknown'})")


def _update_time(path: Path, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT):
        with suppress(OSError):
            os.utime(path)
