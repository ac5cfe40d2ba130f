"""The processes that a sweep starts: they end with the command, and import nothing from the current folder."""

import json
import signal
import time
from pathlib import Path

import pytest
from sweeps.small import SMALL, TINY, needs_joblib

from vae_cli.runs import lock
from vae_cli.runs.checkpoint import load

LONG = [*SMALL, "epochs=100000", "validate_every=100000", "checkpoint.minutes=1000", "log_every=100"]
SWEEPS = {
    "packed": ["hydra/launcher=packed", "hydra.launcher.processes=2", "optimizer.lr=0.001,0.002"],
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=1,2"],
}


def wait_for_steps(sweep: Path, members: int) -> None:
    end = time.monotonic() + 120
    while sum(file.stat().st_size > 0 for file in sweep.glob("*/metrics.jsonl")) < members:
        assert time.monotonic() < end, "no member trains"
        time.sleep(0.1)


def modules_that_tell(folder: Path) -> Path:
    """Python modules that a process imports if it looks into its current folder; the file that tells so."""
    for name in ("joblib", "json", "hydra_plugins"):
        (folder / f"{name}.py").write_text(f"open({str(folder / 'executed')!r}, 'w')")
    return folder / "executed"


@pytest.mark.parametrize("launcher", ["packed", pytest.param("joblib", marks=needs_joblib)])
def test_members_save_themselves_and_end_when_the_command_is_killed(command, tmp_path, launcher):
    """Only its processes can notice, since a SIGKILL cannot be handled. Nothing in the current folder is executed: joblib
    starts `python -m joblib…`."""
    told = modules_that_tell(tmp_path)
    running = command.__self__.start(
        "vae-train", "-m", "name=s", *SWEEPS[launcher], *LONG, cwd=tmp_path, patience=30
    )
    wait_for_steps(tmp_path / "outputs/s", 2)
    running.send(signal.SIGKILL)
    done = running.wait(60)
    assert done is not None and done.returncode == -signal.SIGKILL and not done.left_processes
    for folder in tmp_path.glob("outputs/s/[!.]*/"):
        assert json.loads((folder / "summary.json").read_text())["status"] == "interrupted"
        assert load(folder / "checkpoints/last.pt")["step"] > 0 and lock.owner(folder) is None
    assert not told.exists()


@needs_joblib
def test_one_process_of_joblib_is_the_command_itself(command, tmp_path):
    sweep = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "seed=1,2"]
    done = command("vae-train", "-m", "name=s", *sweep, *TINY, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n  finished ") == 2
