"""The command with hydra/launcher=packed."""

from pathlib import Path

from conftest import later_counts
from sweeps.packed.runs import status

SWEEP = ["name=s", "latent=bernoulli", "seed=1,2", "optimizer.lr=0.001,1e18", "log_every=1", "network.hidden=[8]",
         "epochs=3", "nll_samples=5", "data.train_size=60", "data.validation_size=20", "data.test_size=20"]  # fmt: skip


def files(sweep: Path) -> dict[str, set[str]]:
    def name(file: Path) -> str:
        return "events" if file.name.startswith("events.") else str(file)

    return {
        folder.name: {name(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
        for folder in sweep.glob("*/")
    }


def test_a_packed_sweep_leaves_what_an_ordinary_one_leaves_and_trains_once(command, tmp_path):
    """Files, exit status, last lines and the length of each log; a second call trains nothing."""
    calls = {}
    for launcher in ("basic", "packed"):
        (tmp_path / launcher).mkdir()
        calls[launcher] = command(
            "vae-train", "-m", f"hydra/launcher={launcher}", *SWEEP, cwd=tmp_path / launcher
        )
        assert calls[launcher].returncode == 1 and calls[launcher].stderr == ""
        counts = [calls[launcher].stdout.count(f"\n  {ended} ") for ended in ("finished", "diverged")]
        assert counts == [2, 2]
    assert "packed     4 members as one model" in calls["packed"].stdout
    assert files(tmp_path / "basic/outputs/s") == files(tmp_path / "packed/outputs/s")
    for log in (tmp_path / "packed/outputs/s").glob("*/train.log"):
        lines = (tmp_path / "basic/outputs/s" / log.parent.name / "train.log").read_text().splitlines()
        assert len(log.read_text().splitlines()) == len(lines)
    before = {file: file.read_bytes() for file in (tmp_path / "packed").rglob("summary.json")}
    again = command("vae-train", "-m", "hydra/launcher=packed", *SWEEP, cwd=tmp_path / "packed")
    assert again.returncode == 1 and again.stdout.count("\nrefused: ") == 2
    assert {file: file.read_bytes() for file in before} == before
    compared = command("vae-compare", "outputs/s", cwd=tmp_path / "packed")
    assert compared.returncode == 0, compared.stderr


def test_fail_fast_saves_the_others(command, tmp_path):
    sweep = later_counts(*SWEEP, "optimizer.lr=0.001,1e18", "seed=1", "fail_fast=true", "epochs=50")
    done = command("vae-train", "-m", "hydra/launcher=packed", *sweep, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    statuses = [status(file.parent) for file in tmp_path.rglob("summary.json")]
    assert sorted(statuses) == ["diverged", "interrupted"]
