"""Whose folder this is: one process at a time, one configuration for good. Needs no torch."""

import fcntl
import json
import logging
import os
import platform
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vae_cli.config.compose import plain, saved_config
from vae_cli.config.diff import differences
from vae_cli.errors import RunLocked, RunRefused
from vae_cli.runs.checkpoint import write_atomically

log = logging.getLogger("vae_cli")

HEARTBEAT = 30.0  # seconds between two signs of life of a lock's owner
REFUSED = ".refused"  # in a run folder: why the last call left it as it was
STALE = 180.0  # seconds without one after which a lock from another host is that of a dead process

Summary = dict[str, Any]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder/.lock`. Raises RunLocked where another process, here or on another host, writes the folder.

    The kernel frees the lock of a process that dies. Not every shared file system tells other hosts of it, so the
    file says who holds it, and its time of change is refreshed every HEARTBEAT seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a+") as file:
        _take(file.fileno(), path)
        path.write_text(f"pid {os.getpid()} on {platform.node()}")
        (folder / REFUSED).unlink(missing_ok=True)
        ended = threading.Event()
        threading.Thread(target=_beat, args=(path, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with suppress(OSError):  # the folder may be gone
                path.write_text("")


def owner(folder: Path) -> str | None:
    """ "pid N on HOST": who writes the folder, or died while doing so."""
    lock = folder / ".lock"
    return (lock.read_text() if lock.exists() else "") or None


def pid_here(folder: Path) -> int | None:
    """The owner, where it is a process of this host."""
    found = re.fullmatch(rf"pid (\d+) on {re.escape(platform.node())}", owner(folder) or "")
    return int(found[1]) if found else None


def is_held(folder: Path) -> bool:
    """Whether somebody writes the folder, as far as this host can tell."""
    return owner(folder) is not None and ((pid := pid_here(folder)) is None or Path(f"/proc/{pid}").exists())


def refuse(folder: Path, reason: RunRefused) -> None:
    """Let a sweep's end know of a member that the call leaves as it is: by a note, or, where another process writes the
    folder, by a sign of that one's life."""
    if isinstance(reason, RunLocked):
        os.utime(folder / ".lock")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REFUSED).write_text(str(reason))


def _take(file: int, path: Path) -> None:
    alone = True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _occupied(path) from None
    except OSError:  # a file system without such locks
        alone = False
    if (held_by := owner(path.parent)) is None:
        return
    if pid_here(path.parent):
        if not alone and is_held(path.parent):
            raise _occupied(path)
    elif time.time() - (seen := path.stat().st_mtime) < STALE:
        log.info("%s is locked by %s; waiting %.0f s for a sign of its life", path.parent, held_by, STALE)
        end = time.monotonic() + STALE
        while time.monotonic() < end:
            time.sleep(min(1.0, STALE / 10))
            if path.stat().st_mtime != seen:
                raise _occupied(path)


def _occupied(path: Path) -> RunLocked:
    return RunLocked(f"{path.parent} is being written by another process ({path.read_text().strip()})")


def _beat(path: Path, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT):
        with suppress(OSError):
            os.utime(path)


def is_trained(folder: Path) -> bool:
    return any((folder / "checkpoints").glob("*.pt"))


def refuse_another(folder: Path, cfg: DictConfig) -> None:
    """Raise RunRefused where `folder` holds what another configuration has trained."""
    if is_trained(folder) and (found := differences(plain(saved_config(folder)), plain(cfg))):
        raise RunRefused(f"{folder} holds a run of another configuration: {'; '.join(found)}")


def record(folder: Path, cfg: DictConfig, hydra_cfg: Any, overrides: Sequence[str]) -> None:
    """Write .hydra/: Hydra itself would do so before anything could be refused."""
    (folder / ".hydra").mkdir(exist_ok=True)
    parts = {
        "config": cfg,
        "hydra": {"hydra": hydra_cfg},
        "overrides": OmegaConf.create(list(overrides)),
    }
    for name, part in parts.items():
        write_atomically(folder / f".hydra/{name}.yaml", OmegaConf.to_yaml(part).encode())


def finished(folder: Path, epochs: int) -> Summary | None:
    """The summary of a run that has nothing left to do for `epochs`."""
    try:
        summary: Summary = json.loads((folder / "summary.json").read_text())
    except (OSError, ValueError):
        return None
    done = summary.get("status") == "finished" and (
        summary["epochs"] >= epochs or summary.get("stopped_early", False)
    )
    return summary if done else None
