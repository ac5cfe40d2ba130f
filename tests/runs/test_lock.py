"""One process at a time holds a folder. On this host the kernel's lock ensures it, on other hosts the time of the lock
file."""

import errno
import fcntl
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vae_cli.errors import RunLocked
from vae_cli.runs import lock

HERE = platform.node()


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave_lock(folder: Path, owner: str, age: float = 0.0) -> Path:
    lock = folder / ".lock"
    lock.write_text(owner)
    os.utime(lock, (time.time() - age,) * 2)
    return lock


@pytest.fixture
def without_kernel_locks(monkeypatch):
    """As on a shared file system without locks."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.fixture
def short_times(monkeypatch):
    """A lock without an update is stale after 0.3 s."""
    monkeypatch.setattr(lock, "STALE", 0.3)
    monkeypatch.setattr(lock, "HEARTBEAT", 0.05)


def test_the_lock_file_names_the_process_that_holds_it_and_is_empty_afterwards(tmp_path):
    with lock.locked(tmp_path / "run"):
        assert lock.owner(tmp_path / "run") == f"pid {os.getpid()} on {HERE}"
        assert lock.is_held(tmp_path / "run")
    assert lock.owner(tmp_path / "run") is None and not lock.is_held(tmp_path / "run")


def test_a_locked_folder_is_refused_until_it_is_free(tmp_path):
    refused = pytest.raises(RunLocked, match=rf"another process \(pid {os.getpid()} on")
    with lock.locked(tmp_path), refused, lock.locked(tmp_path):
        pass
    with lock.locked(tmp_path):
        pass


def test_the_lock_of_a_dead_process_of_this_host_is_taken_over_at_once(tmp_path):
    leave_lock(tmp_path, f"pid {dead_process()} on {HERE}")
    assert not lock.is_held(tmp_path)
    with lock.locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()


@pytest.mark.usefixtures("without_kernel_locks")
def test_without_kernel_locks_a_living_process_is_refused_and_a_dead_one_is_not(tmp_path):
    leave_lock(tmp_path, f"pid {os.getppid()} on {HERE}")
    with pytest.raises(RunLocked), lock.locked(tmp_path):
        pass
    leave_lock(tmp_path, f"pid {dead_process()} on {HERE}")
    with lock.locked(tmp_path):
        pass


def test_another_hosts_old_lock_is_taken_over_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    leave_lock(tmp_path, "pid 1 on elsewhere", age=lock.STALE + 1)
    with lock.locked(tmp_path):
        pass


@pytest.mark.usefixtures("short_times")
def test_another_hosts_new_lock_is_taken_over_after_a_time_without_updates(tmp_path):
    leave_lock(tmp_path, "pid 1 on elsewhere")
    before = time.monotonic()
    with lock.locked(tmp_path):
        assert time.monotonic() - before >= lock.STALE


@pytest.mark.usefixtures("short_times", "without_kernel_locks")
def test_a_living_process_of_another_host_is_refused(tmp_path, monkeypatch):
    """Another thread holds the lock by the code under test, heartbeats included."""
    held, ended = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with lock.locked(tmp_path):
            (tmp_path / ".lock").write_text("pid 1 on elsewhere")
            held.set()
            ended.wait(20)

    holder = threading.Thread(target=elsewhere)
    holder.start()
    try:
        assert held.wait(20)
        with pytest.raises(RunLocked, match="pid 1 on elsewhere"), lock.locked(tmp_path):
            pass
    finally:
        ended.set()
        holder.join()


@pytest.mark.parametrize(
    "text", ["\x10", "pid", "pid 5 on", "pid x on there", "pid 5 on th\x00re", "{}", "pid 5 on a b"]
)
def test_a_damaged_lock_file_has_no_owner_for_whom_one_would_wait(tmp_path, text):
    (tmp_path / "run").mkdir()
    leave_lock(tmp_path / "run", text)
    started = time.monotonic()
    with lock.locked(tmp_path / "run"):
        assert time.monotonic() - started < lock.STALE / 10
