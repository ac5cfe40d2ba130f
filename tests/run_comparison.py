"""What two runs must have in common to be the same run."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from vae_cli.runs import checkpoint

CLOCKS = ("examples_per_second", "seconds", "wall_seconds")


def contents(folder: Path) -> dict[str, Any]:
    """Checkpoints, metrics and summary of a run folder, without times and configurations."""
    found = {file.name: checkpoint.load(file) for file in (folder / "checkpoints").glob("*.pt")}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((folder / "summary.json").read_text())
    for state in found.values():
        del state["config"]
    for each in (*found.values(), *lines, summary):
        for clock in CLOCKS:
            each.pop(clock, None)
    return found | {"metrics": lines, "summary": summary}


def assert_equal(a: Any, b: Any, tolerance: float = 0.0, where: str = "") -> None:
    """Keys and types are equal; numbers and tensors are equal up to an absolute and relative tolerance."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal(a[key], b[key], tolerance, f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal(x, y, tolerance, f"{where}[{i}]")
    elif isinstance(a, torch.Tensor):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, msg=lambda text: f"{where}: {text}")
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=tolerance, abs=tolerance), where
    else:
        assert a == b, where
