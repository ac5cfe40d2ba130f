"""The monitor of a sweep: the lines of members that end, and the signals to members that should end."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import time

from vae_cli.runs.lock import locked
from vae_cli.sweeps.folder import SweepFolder
from vae_cli.sweeps.monitor import Monitor


def test_a_member_that_a_launcher_restarts_has_a_line_each_time_it_ends(tmp_path, capsys):
    monitor = Monitor(SweepFolder(tmp_path), expected=2, local=False)
    (tmp_path / "seed=1/.hydra").mkdir(parents=True)
    (tmp_path / "seed=1/.hydra/config.yaml").write_text("seed: 1")

    def printed(status: str, held: bool) -> str:
        """What the monitor prints when the member has this status."""
        (tmp_path / "seed=1/.lock").write_text(f"pid {os.getpid()} on {platform.node()}" if held else "")
        (tmp_path / "seed=1/summary.json").write_text(json.dumps({"status": status}))
        monitor.look()
        return capsys.readouterr().out

    assert printed("interrupted", held=False).split() == ["interrupted", "seed=1", "[1/2]"]
    assert printed("interrupted", held=False) == printed("interrupted", held=True) == ""
    assert printed("finished", held=False).split() == ["finished", "seed=1", "[1/2]"]
    assert printed("finished", held=True) == printed("finished", held=False) == ""


def test_a_member_that_finished_just_before_the_sweep_began_again_is_named_so(tmp_path, capsys):
    """And one that this call neither trains nor refuses is not mentioned."""
    for seed in (1, 2):
        (tmp_path / f"seed={seed}/.hydra").mkdir(parents=True)
        (tmp_path / f"seed={seed}/.hydra/config.yaml").write_text(f"seed: {seed}")
        summary = {"status": "finished", "validation": {"elbo": -1.0}}
        (tmp_path / f"seed={seed}/summary.json").write_text(json.dumps(summary))
        (tmp_path / f"seed={seed}/.lock").write_text("")
    monitor = Monitor(SweepFolder(tmp_path), expected=2, local=False)
    with locked(tmp_path / "seed=1"):
        pass
    monitor.look()
    assert re.fullmatch(r"finished +seed=1 .*, before  \[1/2\]\n", capsys.readouterr().out)


COUNTS_SIGNALS = """
import signal, sys, time
received = []
signal.signal(signal.SIGTERM, lambda *_: received.append(1))
print("ready", flush=True)
sys.stdin.read()
print(len(received))
"""


def test_a_running_member_gets_one_signal_to_end(tmp_path):
    """A second signal would end it before it has saved itself. Processes of another process group get none."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    processes = []
    try:
        monitor = Monitor(SweepFolder(tmp_path), expected=None, local=True)
        for ours in (True, False):
            process = subprocess.Popen(
                [sys.executable, "-c", COUNTS_SIGNALS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                start_new_session=not ours,
            )  # fmt: skip
            processes.append(process)
            assert process.stdout.readline() == "ready\n"
            (tmp_path / f"seed={ours}").mkdir()
            (tmp_path / f"seed={ours}/.lock").write_text(f"pid {process.pid} on {platform.node()}")
        SweepFolder(tmp_path).stop("a test")
        for _ in range(3):
            monitor.look()
            time.sleep(0.1)
        assert [process.communicate(timeout=20)[0] for process in processes] == ["1\n", "0\n"]
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for process in processes:
            process.kill()
