"""The installed command vae-train as a subprocess, and what its run folders say."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

VAE_TRAIN = [str(Path(sys.executable).with_name("vae-train"))]
SUBSET = Path(__file__).parents[1] / "data"
TINY = ["network.hidden=[16]", "nll_samples=5"]
RECTANGLES = [*TINY, "data.train_size=200", "data.validation_size=50", "data.test_size=50"]
TWO_EPOCHS = [*RECTANGLES, "epochs=2"]

ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("VAE_CLI_DATA", "HYDRA_FULL_ERROR")
}
ENVIRONMENT |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
ENVIRONMENT |= {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}  # no network
ENVIRONMENT |= {"no_proxy": ""}


def vae(
    *arguments: str, cwd: Path, command: list[str] = VAE_TRAIN, **environment: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*command, *arguments], cwd=cwd, env=ENVIRONMENT | environment, capture_output=True, text=True, timeout=240
    )  # fmt: skip


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def events(folder: Path) -> EventAccumulator:
    everything = dict.fromkeys(("scalars", "images", "tensors", "histograms"), 0)
    return EventAccumulator(str(folder), size_guidance=everything).Reload()


def assert_one_line(run: subprocess.CompletedProcess, status: int = 2) -> str:
    """A failure: its exit status and one line on stderr, which is returned."""
    assert run.returncode == status, run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    (line,) = run.stderr.splitlines()
    assert line.startswith(("vae-train: ", "vae-eval: ", "vae-compare: "))
    return line
