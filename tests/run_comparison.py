"""The contents of run folders, and what two runs must have in common to be the same run."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from vae_cli.runs import checkpoint
from vae_cli.runs.documents import read_json_object

CLOCKS = ("examples_per_second", "seconds", "wall_seconds")
CHECKSUMS = ("checksum", "files")  # of files that have times in them


def _without_times(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in CLOCKS}


def saved(folder: Path, name: str = "last") -> dict[str, Any]:
    """A checkpoint, without its configuration, times, and the checksum of what was logged, which has times in it."""
    found = _without_times(checkpoint.load(folder / f"checkpoints/{name}.pt"))
    del found["config"], found["logged"]
    return found


def metrics(folder: Path) -> list[dict[str, Any]]:
    """Every line of metrics.jsonl, without times."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [_without_times(json.loads(line)) for line in lines]


def summary(folder: Path) -> dict[str, Any]:
    """summary.json, without times."""
    found = read_json_object(folder / "summary.json")
    return {key: value for key, value in _without_times(found).items() if key not in CHECKSUMS}


def assert_equal_runs(one: Path, other: Path, tolerance: float = 0.0) -> None:
    """Parameters, optimizer, generator, every logged metric and the summary: bit for bit, or up to a tolerance."""
    for name in ("last", "best"):
        assert_equal(saved(one, name), saved(other, name), tolerance, name)
    assert_equal(metrics(one), metrics(other), tolerance, "metrics")
    assert_equal(summary(one), summary(other), tolerance, "summary")
    assert not list(other.rglob("*.partial"))


def assert_equal(a: Any, b: Any, tolerance: float = 0.0, where: str = "") -> None:
    """Keys and types are equal; numbers are equal up to an absolute and relative tolerance, tensors up to a tolerance
    relative to their largest number."""
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
        largest = a.abs().max().item() if tolerance and a.numel() else 0.0
        torch.testing.assert_close(
            a, b, rtol=0, atol=tolerance * largest, msg=lambda text: f"{where}: {text}"
        )
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=tolerance, abs=tolerance), where
    else:
        assert a == b, where
