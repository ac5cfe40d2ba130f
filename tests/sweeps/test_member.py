"""Members that fail or diverge: the other members continue, and the next call takes earlier failures into account."""

import json
import os

from sweeps.small import SWEEP, TINY, summaries

from vae_cli.errors import RunLocked, RunRefused
from vae_cli.runs import lock
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.member import note_refusal


def test_the_folder_of_each_member_says_how_it_ended(swept):
    cwd, done = swept
    found = summaries(cwd)
    assert done.returncode == 1 and done.stderr == ""
    assert {key: found[key]["status"] for key in found} == {
        (4, 0.001): "finished", (4, 1e18): "diverged", (-1, 0.001): "failed", (-1, 1e18): "failed"
    }  # fmt: skip
    assert found[-1, 0.001]["error"].startswith("latent.code_size=-1 is not allowed")
    for log in (cwd / "outputs/s").glob("*code_size=-1*/train.log"):
        assert "latent.code_size=-1 is not allowed" in log.read_text()


def test_keys_that_do_not_distinguish_members_are_not_in_their_names(swept):
    for folder in (swept[0] / "outputs/s").glob("*/"):
        assert "name=" not in folder.name and "retry_failed" not in folder.name


def test_failed_members_are_trained_again_only_on_request(command, swept_copy):
    before = {file: file.read_bytes() for file in swept_copy.glob("outputs/s/*/summary.json")}
    again = command("vae-train", *SWEEP, cwd=swept_copy)
    assert again.returncode == 1
    assert again.stdout.count("\nrefused: ") == 3 and "retry_failed=true tries it again" in again.stdout
    assert again.stdout.count("\n  finished ") == 1
    assert {file: file.read_bytes() for file in before} == before
    retried = command("vae-train", *SWEEP, "retry_failed=true", cwd=swept_copy)
    assert retried.returncode == 1 and "tries it again" not in retried.stdout
    assert len(list(swept_copy.glob("outputs/s/*/"))) == 4  # the same folders
    assert retried.stdout.count("\n  finished ") == 1
    (diverged,) = (file for file in before if json.loads(before[file])["status"] == "diverged")
    assert diverged.read_bytes() != before[diverged]
    assert json.loads(diverged.read_text())["status"] == "diverged"


def test_fail_fast_ends_the_sweep_with_the_first_failure(command, tmp_path):
    sweep = ["-m", "name=s", "latent.code_size=-1,4", "optimizer.lr=0.001", "fail_fast=true", *TINY]
    done = command("vae-train", *sweep, cwd=tmp_path)
    assert done.returncode == 1
    assert {key: found["status"] for key, found in summaries(tmp_path).items()} == {(-1, 0.001): "failed"}


def test_a_member_that_another_process_trains_is_left_unchanged(command, tmp_path):
    """The other members are trained, and the end of the sweep names the process that holds the lock. In the folder of
    the locked member only the time of the lock changes."""
    sweep = ["-m", "name=s", "seed=1,2", *TINY]
    assert command("vae-train", *sweep, cwd=tmp_path).returncode == 0
    locked, other = sorted((tmp_path / "outputs/s").glob("*/"))
    for file in ("summary.json", "checkpoints/last.pt"):
        (locked / file).unlink(), (other / file).unlink()
    before = {path: path.read_bytes() for path in locked.rglob("*") if path.is_file()}
    with lock.locked(locked):
        done = command("vae-train", *sweep, cwd=tmp_path)
    assert {path: path.read_bytes() for path in locked.rglob("*") if path.is_file()} == before
    assert done.returncode == 1 and f"\nrunning: pid {os.getpid()} on " in done.stdout
    assert json.loads((other / "summary.json").read_text())["status"] == "finished"
    assert command("vae-train", *sweep, cwd=tmp_path).returncode == 0


def test_a_refusal_is_noted_until_the_folder_is_locked_again(tmp_path):
    folder = RunFolder(tmp_path / "run")
    note_refusal(folder, RunRefused("it failed before"))
    assert folder.refusal_note.read_text() == "it failed before"
    with folder.locked():
        assert not folder.refusal_note.exists()
        before = folder.lock_file.stat().st_mtime_ns
        note_refusal(folder, RunLocked("another process writes it"))
        assert not folder.refusal_note.exists() and folder.lock_file.stat().st_mtime_ns > before
