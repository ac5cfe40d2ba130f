"""Small sweeps and searches, and what they leave behind."""

import json
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

SMALL = ["network.hidden=[8]", "nll_samples=5", "data.train_size=60", "data.validation_size=20", "data.test_size=20"]  # fmt: skip
TINY = [*SMALL, "epochs=1"]
SWEEP = ["-m", "name=s", "device=cpu,cuda", "optimizer.lr=0.001,1e18", "log_every=1", *TINY]
SEARCH = ["-m", "hydra/sweeper=optuna", "name=s"]

INSTALLED = {distribution.name for distribution in distributions()}
needs_optuna = pytest.mark.skipif(
    "hydra-optuna-sweeper" not in INSTALLED,
    reason="needs hydra-optuna-sweeper: pip install 'vae-cli[optuna]'",
)
needs_joblib = pytest.mark.skipif(
    "hydra-joblib-launcher" not in INSTALLED,
    reason="needs hydra-joblib-launcher: pip install 'vae-cli[joblib]'",
)


def member_summaries(cwd: Path) -> dict[Path, dict]:
    """The summary of each member, by its folder."""
    files = (cwd / "outputs/s").glob("*/summary.json")
    return {file.parent: json.loads(file.read_text()) for file in files}


def summaries(cwd: Path) -> dict[tuple[str, float], dict]:
    """The summary of each member, by its device and learning rate."""
    found = {}
    for folder, summary in member_summaries(cwd).items():
        config = yaml.safe_load((folder / ".hydra/config.yaml").read_text())
        found[config["device"], float(config["optimizer"]["lr"])] = summary
    return found


def end_of_sweep(output: str) -> list[str]:
    """The lines of the table at the end of a sweep, and those that follow."""
    return output[output.rindex("  status ") :].splitlines()


def trials(cwd: Path) -> list[tuple[str, list[float] | None, dict]]:
    """The state, the values and the parameters of each trial. Another process reads them, so that Optuna's warnings
    about itself are not seen and its connection is closed."""
    script = """
import json, sys, optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.load_study("s", "sqlite:///outputs/s/study.db")
print(json.dumps([[t.state.name, t.values, {**t.params, **t.system_attrs.get("fixed_params", {})}] for t in study.trials]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=cwd, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def states(cwd: Path) -> list[str]:
    """The state of each trial."""
    return [state for state, *_ in trials(cwd)]
