"""An interrupted run or sweep saves its state and says how to go on."""

import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from integration.installed import ENVIRONMENT, RECTANGLES, VAE_TRAIN, assert_one_line, metrics, summary, vae

from vae_cli.runs.checkpoint import load


def wait_for(condition: Callable[[], object], process: subprocess.Popen, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end and process.poll() is None, "it did not happen"
        time.sleep(0.05)


@contextmanager
def training(*command: str, folder: Path) -> Iterator[subprocess.Popen]:
    """A process that has trained for some steps, more than its folder had seen."""
    process = subprocess.Popen(
        command, cwd=folder.parent, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        file = folder / "metrics.jsonl"
        seen = file.read_text().count("\n") if file.exists() else 0
        wait_for(lambda: file.exists() and file.read_text().count("\n") > seen + 5, process)
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen, how: signal.Signals, folder: Path) -> list[str]:
    """Exit 130, one line, a checkpoint of the last step; returns the command that goes on with it."""
    process.send_signal(how)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    (line,) = errors.splitlines()
    said, _, command = line.partition("; go on with: ")
    assert said == "vae-train: interrupted"
    found = summary(folder)
    assert found["status"] == "interrupted"
    assert load(folder / "checkpoints/last.pt")["step"] == found["steps"]
    steps = [line["step"] for line in metrics(folder) if "learning_rate" in line]
    assert steps == list(range(1, found["steps"] + 1))
    return shlex.split(command)


def test_an_interrupted_run_keeps_a_checkpoint_and_says_how_to_go_on(tmp_path):
    """By SIGTERM and by SIGINT; the command that it prints works as it stands; and while it runs, another
    process is refused."""
    folder = tmp_path / "a run"
    arguments = [
        *RECTANGLES,
        "epochs=100000",
        "log_every=1",
        "validate_every=1000",
        f"hydra.run.dir='{folder}'",
    ]
    with training(*VAE_TRAIN, *arguments, folder=folder) as process:
        line = assert_one_line(vae(*arguments, cwd=tmp_path))
        assert str(folder) in line and "another process" in line and f"pid {process.pid} " in line
        command = stop(process, signal.SIGTERM, folder)
    steps = summary(folder)["steps"]
    assert command == ["vae-train", f"resume={folder}"]
    with training(*VAE_TRAIN, *command[1:], folder=folder) as process:
        assert stop(process, signal.SIGINT, folder) == command
    assert summary(folder)["steps"] > steps


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_saves_its_member_and_starts_no_other(tmp_path, how):
    sweep = ["-m", "latent.code_size=2,3", "name=s", *RECTANGLES, "log_every=1", "validate_every=1000"]
    folder = tmp_path / "outputs/s"
    process = subprocess.Popen(
        [*VAE_TRAIN, *sweep, "epochs=3000"], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(
            lambda: [f for f in folder.glob("*/metrics.jsonl") if f.read_text().count("\n") > 5], process
        )
        process.send_signal(how)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors == "vae-train: interrupted; the same command continues the sweep\n"
    (member,) = folder.glob("*/")
    assert summary(member)["status"] == "interrupted" and (member / "checkpoints/last.pt").exists()
    assert "interrupted: " in output and str(member) in output
