"""Run folders of version 0.1.0, from before the package had rooms, load, evaluate, compare and resume with the figures that
version 0.1.0 gave (tests/data/old_runs/expected.json; another processor rounds differently, hence a tolerance)."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

import vae_cli

OLD = Path(__file__).parents[1] / "data/old_runs"
EXPECTED = json.loads((OLD / "expected.json").read_text(encoding="utf-8"))
RUNS = ("gaussian", "bernoulli", "deterministic", "interrupted")


def close(value: object) -> object:
    return pytest.approx(value, rel=1e-4, abs=1e-6)


@pytest.fixture(autouse=True)
def float32() -> None:
    """What the images are made in."""
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def old(tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(OLD, tmp_path / "old_runs"))


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_loads(name, old):
    model, expected = vae_cli.load(old / name, device="cpu"), EXPECTED["loaded"][name]
    images = (torch.arange(3 * 64).reshape(3, 1, 8, 8) % 5 < 2).float()
    assert (model.step, list(model.shape)) == (expected["step"], expected["shape"])
    torch.testing.assert_close(
        model.encode(images).mean, torch.tensor(expected["encode_mean"]), rtol=1e-4, atol=1e-5
    )
    assert model.reconstruct(images).sum((1, 2, 3)).tolist() == close(expected["reconstruct_sums"])
    if name != "deterministic":
        assert model.log_likelihood(images, 10).tolist() == close(expected["log_likelihood"])
        assert model.sample(3).sum((1, 2, 3)).tolist() == close(expected["sample_sums"])


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_is_evaluated(name, old, command):
    done = command("vae-eval", f"run={name}", "nll_samples=100", "device=cpu", cwd=old)
    assert done.returncode == 0, done.stderr
    summary, expected = (
        json.loads((old / name / "evaluation/summary.json").read_text()),
        EXPECTED["evaluated"][name],
    )
    assert {key: summary[key] for key in ("status", "checkpoint", "step", "notices")} == {
        key: expected[key] for key in ("status", "checkpoint", "step", "notices")
    }
    figures = {key: each["value"] for key, each in summary["figures"].items()}
    assert figures == {key: close(value) for key, value in expected["figures"].items()}
    files = {str(file.relative_to(old / name)) for file in (old / name / "evaluation").iterdir()}
    assert files == set(expected["files"])


def test_old_runs_are_compared(old, command):
    done = command("vae-compare", *RUNS, "out=comparison", cwd=old)
    assert done.returncode == 0, done.stderr
    with (old / "comparison/compare.csv").open(encoding="utf-8") as file:
        rows = {row["members"]: row for row in csv.DictReader(file)}
    assert rows.keys() == set(RUNS)
    for name, row in rows.items():
        stored = json.loads((OLD / name / "summary.json").read_text())
        assert row["status"] == stored["status"]
        assert row["latent"] == ("bernoulli" if name == "interrupted" else name)
        for metric, value in stored.get("test", {}).items():
            if f"test.{metric}" in row:
                assert float(row[f"test.{metric}"]) == value
    assert "interrupted: interrupted" in done.stdout


@pytest.mark.parametrize("name", EXPECTED["resumed"])
def test_an_old_run_resumes(name, old, command):
    """Its parameters, those of its estimator and its test metrics are those that version 0.1.0 reached."""
    expected = EXPECTED["resumed"][name]
    program, *arguments = expected["command"]
    done = command(program, *arguments, cwd=old)
    assert done.returncode == 0, done.stderr
    saved = torch.load(old / name / "checkpoints/last.pt", weights_only=True)
    assert saved["step"] == expected["step"]
    assert {key: value.double().norm().item() for key, value in saved["model"].items()} == {
        key: close(value) for key, value in expected["norms"].items()
    }
    assert {key: value.tolist() for key, value in saved["objective"].items()} == {
        key: close(value) for key, value in expected["objective"].items()
    }
    summary = json.loads((old / name / "summary.json").read_text())
    assert [summary[key] for key in ("status", "steps", "best_step")] == [
        expected[key] for key in ("status", "steps", "best_step")
    ]
    assert summary["test"] == {key: close(value) for key, value in expected["test"].items()}
    assert len((old / name / "metrics.jsonl").read_text().splitlines()) == expected["metrics_lines"]
