"""Trials whose members fail, diverge or are killed."""

import os
import signal
import subprocess
import sys
import time

from sweeps.small import SEARCH, SMALL, TINY, member_summaries, needs_optuna, states, trials

pytestmark = needs_optuna

DIVERGING = [*SEARCH, *TINY, "log_every=1"]


def test_a_member_that_diverges_does_not_end_the_search_and_is_trained_again_on_request(command, tmp_path):
    arguments = [*DIVERGING, "optimizer.lr=0.001,1e18", "latent.code_size=3,4", "hydra.sweeper.n_trials=5"]
    done = command("vae-train", *arguments, cwd=tmp_path)
    summaries = member_summaries(tmp_path)
    diverged = [folder for folder, summary in summaries.items() if summary["status"] == "diverged"]
    found = states(tmp_path)
    assert done.returncode == 1 and done.stderr == ""
    assert diverged and 0 < found.count("FAIL") < 5 and found.count("COMPLETE") + found.count("FAIL") == 5
    assert f"search: 5 of 5 trials, {found.count('FAIL')} without a result; the best" in done.stdout
    before = {folder: (folder / "summary.json").stat().st_mtime_ns for folder in diverged}
    command("vae-train", *arguments, cwd=tmp_path)
    assert {folder: (folder / "summary.json").stat().st_mtime_ns for folder in diverged} == before
    retried = command("vae-train", *arguments, "retry_failed=true", cwd=tmp_path)
    assert all((folder / "summary.json").stat().st_mtime_ns > before[folder] for folder in diverged)
    assert set(member_summaries(tmp_path)) >= set(diverged) and "search: 5 of 5 trials" in retried.stdout


def test_trials_that_fail_fast_did_not_start_are_trained_by_the_next_command(command, tmp_path):
    arguments = [*DIVERGING, "optimizer.lr=0.001,1e18", "latent.code_size=3,4,5", "hydra.sweeper.n_trials=6"]
    command("vae-train", *arguments, "fail_fast=true", cwd=tmp_path)
    before = states(tmp_path)
    statuses = [summary["status"] for summary in member_summaries(tmp_path).values()]
    assert statuses.count("diverged") == 1 < before.count("FAIL")
    done = command("vae-train", *arguments, cwd=tmp_path)
    after = states(tmp_path)
    assert "search: 6 of 6 trials" in done.stdout
    assert len(after) == 6 + before.count("FAIL") - 1 and "WAITING" not in after


def test_a_search_without_any_result_ends_with_one_line(command, tmp_path):
    arguments = [*DIVERGING, "optimizer.lr=1e18,1e19", "latent.code_size=3", "hydra.sweeper.n_trials=2"]
    for _ in range(2):
        done = command("vae-train", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("vae-train: no trial of the search") and done.stderr.count("\n") == 1
        assert "2 of 2 trials, 2 without a result; no trial has a result" in done.stdout


def test_a_killed_search_continues_its_member_from_the_checkpoint(command, tmp_path):
    arguments = [*SEARCH, *SMALL, "epochs=300", "validate_every=300", "checkpoint.epochs=1", "log_every=100", "hydra.sweeper.n_trials=2"]  # fmt: skip
    killed = subprocess.Popen(
        [sys.executable, "-m", "vae_cli", *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    end = time.monotonic() + 120
    while not list(tmp_path.glob("outputs/s/*/checkpoints/last.pt")) and time.monotonic() < end:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (folder,) = (file.parent.parent for file in tmp_path.glob("outputs/s/*/checkpoints/last.pt"))
    assert not (folder / "summary.json").exists() and states(tmp_path) == ["RUNNING"]
    done = command("vae-train", *arguments, cwd=tmp_path)
    assert done.returncode == 0 and "search: 2 of 2 trials; the best" in done.stdout
    summaries = member_summaries(tmp_path)
    assert len(summaries) == 2 and summaries[folder]["status"] == "finished"
    assert "resumed   at step" in (folder / "train.log").read_text()
    first, second, _ = trials(tmp_path)
    assert (first[0], second[0]) == ("FAIL", "COMPLETE") and first[2] == second[2]
