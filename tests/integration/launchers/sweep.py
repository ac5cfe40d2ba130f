"""Sweeps as separate processes whose members the tests kill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

TINY = ["network.hidden=[8]", "nll_samples=5", "batch_size=10", "log_every=100"]
# an epoch takes about 0.2 s
RECTANGLES = [*TINY, "data.train_size=2000", "data.validation_size=20", "data.test_size=20"]
SAVED = ["checkpoint.epochs=1", "validate_every=10"]  # a killed member continues from a checkpoint


def needs(plugin: str, extra: str) -> pytest.MarkDecorator:
    missing = f"{plugin} is not installed: pip install 'vae-cli[{extra}]'"
    return pytest.mark.skipif(plugin not in {found.name for found in distributions()}, reason=missing)


class Sweep:
    """`vae-train -m …` in `cwd` as a separate process. The members differ in `key`."""

    started: ClassVar[list["Sweep"]] = []

    def __init__(
        self, cwd: Path, key: str, call: list[str], environment: dict[str, str] | None = None
    ) -> None:
        self.folder, self.key = cwd / "outputs/s", key
        given = {k: v for k, v in os.environ.items() if k not in ("VAE_CLI_DATA", "HYDRA_FULL_ERROR")}
        given |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""} | (environment or {})
        self.log = cwd / f"{len(list(cwd.glob('*.log')))}.log"
        words = [sys.executable, "-m", "vae_cli", "-m", "name=s", *call]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(words, cwd=cwd, env=given, stdout=log, stderr=log)
        self.started.append(self)

    def members(self) -> dict[str, Path]:
        """The folder of each member, by its value of `key`."""
        found = {}
        for file in self.folder.glob("*/.hydra/overrides.yaml"):
            overrides = dict(override.split("=", 1) for override in yaml.safe_load(file.read_text()))
            found[overrides[self.key]] = file.parent.parent
        return found

    def summaries(self) -> dict[str, bytes]:
        files = {value: folder / "summary.json" for value, folder in self.members().items()}
        return {value: file.read_bytes() for value, file in files.items() if file.exists()}

    def statuses(self) -> dict[str, str]:
        return {value: json.loads(summary)["status"] for value, summary in self.summaries().items()}

    def wait_for_checkpoint(self, value: str) -> Path:
        """Wait until the member with this value has written a checkpoint. Returns its folder."""
        self.wait_until(
            lambda: value in self.members() and (self.members()[value] / "checkpoints/last.pt").exists()
        )
        return self.members()[value]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 90
        while not condition():
            assert self.process.poll() is None and time.monotonic() < end, self.output()
            time.sleep(0.05)

    def wait(self) -> int:
        """The exit status."""
        try:
            return self.process.wait(150)
        except subprocess.TimeoutExpired:
            pytest.fail(self.output())

    def output(self) -> str:
        return self.log.read_text()


def kill(member: Path) -> None:
    """Kill the process of the member, as the kernel does when memory runs out."""
    found = re.match(r"pid (\d+) on ", (member / ".lock").read_text())
    assert found
    os.kill(int(found[1]), signal.SIGKILL)


def continued(member: Path) -> bool:
    return re.search(r"resumed +at step", (member / "train.log").read_text()) is not None


def single_run(cwd: Path, *arguments: str) -> Path:
    """Train an uninterrupted run in this process's environment. Returns its folder."""
    words = [sys.executable, "-m", "vae_cli", f"hydra.run.dir={cwd}/single", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(words, cwd=cwd, env=environment, check=True, capture_output=True)
    return cwd / "single"
