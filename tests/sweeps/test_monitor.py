"""The monitor of a sweep: the lines of members that end, and the signals to members that should end."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vae_cli.sweeps.call import Entry, SweepCall
from vae_cli.sweeps.display import Display
from vae_cli.sweeps.monitor import SIGNALS, Monitor


def watching(call: SweepCall) -> Monitor:
    """A monitor whose thread does not run: the test looks itself."""
    monitor = Monitor(call, local=False)
    monitor.expected, monitor.display = 2, Display(2)
    call.folder.mkdir(parents=True)
    return monitor


def entry(folder: Path, status: str, **others) -> Entry:
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra/config.yaml").write_text("seed: 1")
    (folder / "summary.json").write_text(json.dumps({"status": status}))
    return Entry(1, str(folder), status, os.getpid(), platform.node(), **others)


def test_a_member_that_a_launcher_restarts_has_a_line_each_time_it_ends(tmp_path, capsys):
    call = SweepCall(tmp_path)
    monitor = watching(call)

    def printed(status: str) -> list[str]:
        """What the monitor prints when the member has this status."""
        call.note(entry(tmp_path / "seed=1", status))
        monitor.look()
        return capsys.readouterr().out.split()

    assert printed("interrupted") == ["interrupted", "seed=1", "[1/2]"]
    assert printed("interrupted") == printed("running") == []
    assert printed("finished") == ["finished", "seed=1", "[1/2]"]
    assert printed("finished") == []


def test_a_member_that_had_finished_before_is_named_so(tmp_path, capsys):
    call = SweepCall(tmp_path)
    monitor = watching(call)
    call.note(entry(tmp_path / "x\x1b", "finished", before=True))
    monitor.look()
    assert re.fullmatch(r"finished +x\\x1b .*, before  \[1/2\]\n", capsys.readouterr().out)


def test_what_one_member_leaves_does_not_end_the_watch(tmp_path, capsys):
    """Whatever its folder or its entry holds."""
    call = SweepCall(tmp_path)
    monitor = watching(call)
    damaged = entry(tmp_path / "damaged", "finished")
    (tmp_path / "damaged/summary.json").write_text("[" * 100_000)
    call.note(damaged)
    (call.folder / "2.json").write_text("{}")
    (call.folder / "3.json").symlink_to("/dev/zero")
    os.mkfifo(call.folder / "4.json")
    call.note(entry(tmp_path / "whole", "finished")._replace(number=5))
    monitor.look()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("unreadable") and second.split()[:2] == ["finished", "whole"]


COUNTS_SIGNALS = """
import signal, sys, time
received = []
signal.signal(signal.SIGTERM, lambda *_: received.append(1))
print("ready", flush=True)
sys.stdin.read()
print(len(received))
"""


@pytest.fixture
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_running_member_gets_one_signal_to_end(tmp_path, _handlers):
    """A second signal would end it before it has saved itself. Processes of another process group get none."""
    processes, call = [], SweepCall(tmp_path)
    monitor = Monitor(call, local=True)
    try:
        monitor.begin(None)
        for ours in (True, False):
            process = subprocess.Popen(
                [sys.executable, "-c", COUNTS_SIGNALS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                start_new_session=not ours,
            )  # fmt: skip
            processes.append(process)
            assert process.stdout.readline() == "ready\n"
            folder = tmp_path / f"seed={ours}"
            folder.mkdir()
            (folder / ".lock").write_text(f"pid {process.pid} on {platform.node()}")
            call.note(Entry(int(ours), str(folder), "running", process.pid, platform.node()))
        call.stop("a test")
        for _ in range(3):
            monitor.look()
            time.sleep(0.1)
        assert [process.communicate(timeout=20)[0] for process in processes] == ["1\n", "0\n"]
    finally:
        for process in processes:
            process.kill()
        monitor.close()
