"""Members that fail or diverge: the other members continue, and the next call takes earlier failures into account."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from sweeps.small import SWEEP, TINY, summaries

from vae_cli.errors import Diverged, Interrupted, RunLocked, RunRefused, UserError
from vae_cli.runs import lock
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.call import SweepCall
from vae_cli.sweeps.job import Job
from vae_cli.sweeps.member import train_member


def test_the_folder_of_each_member_says_how_it_ended(swept):
    """A member that is refused leaves none, and the sweep keeps no file of its own."""
    cwd, done = swept
    found = summaries(cwd)
    assert done.returncode == 1 and done.stderr == ""
    assert {key: found[key]["status"] for key in found} == {
        ("cpu", 0.001): "finished", ("cpu", 1e18): "diverged",
    }  # fmt: skip
    assert done.stdout.count("\nrefused: device=cuda, but this machine") == 2
    assert {path.name for path in (cwd / "outputs/s").iterdir() if path.is_file()} == {"multirun.yaml"}
    assert len(list((cwd / "outputs/s").iterdir())) == 3


@pytest.mark.parametrize("launcher", ["basic", "packed"])
def test_a_sweep_whose_members_are_all_refused_leaves_nothing(command, tmp_path, launcher):
    """But the folder in which it was called."""
    words = [f"hydra/launcher={launcher}", "device=cuda", "seed=1,2", "hydra.sweep.subdir=a/${hydra.job.num}"]
    done = command("vae-train", "-m", *words, *TINY, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr == "" and done.stdout.count("\nrefused: ") == 2
    assert list(tmp_path.iterdir()) == []


def test_keys_that_do_not_distinguish_members_are_not_in_their_names(swept):
    for folder in (swept[0] / "outputs/s").glob("*/"):
        assert "name=" not in folder.name and "retry_failed" not in folder.name


def test_failed_members_are_trained_again_only_on_request(command, swept_copy):
    before = {file: file.read_bytes() for file in swept_copy.glob("outputs/s/*/summary.json")}
    (diverged,) = (file for file in before if json.loads(before[file])["status"] == "diverged")
    unchanged = {file: file.read_bytes() for file in diverged.parent.rglob("*") if file.is_file()}
    again = command("vae-train", *SWEEP, cwd=swept_copy)
    assert again.returncode == 1
    assert (
        again.stdout.count("\nrefused: ") == 3
        and again.stdout.count("; retry_failed=true tries it again") == 2
    )
    assert again.stdout.count("\n  finished ") == 1
    assert {file: file.read_bytes() for file in before} == before
    assert {file: file.read_bytes() for file in diverged.parent.rglob("*") if file.is_file()} == unchanged
    retried = command("vae-train", *SWEEP, "retry_failed=true", cwd=swept_copy)
    assert retried.returncode == 1 and "tries it again" not in retried.stdout
    assert len(list(swept_copy.glob("outputs/s/*/"))) == 2  # the same folders
    assert retried.stdout.count("\n  finished ") == 1
    assert diverged.read_bytes() != before[diverged]
    assert json.loads(diverged.read_text())["status"] == "diverged"


def test_fail_fast_ends_the_sweep_with_the_first_failure(command, tmp_path):
    """What was not started leaves nothing either."""
    sweep = ["-m", "name=s", "seed=1,2,3", "optimizer.lr=1e18", "log_every=1", "fail_fast=true", *TINY]
    done = command("vae-train", *sweep, cwd=tmp_path)
    assert done.returncode == 1
    assert "\nnot started: 2 of 3 members; " in done.stdout and "and fail_fast is true" in done.stdout
    assert [summary["status"] for summary in summaries(tmp_path).values()] == ["diverged"]
    assert len(list((tmp_path / "outputs/s").glob("*/"))) == 1


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
    assert done.returncode == 1 and f"another process (pid {os.getpid()} on " in done.stdout
    assert json.loads((other / "summary.json").read_text())["status"] == "finished"
    assert command("vae-train", *sweep, cwd=tmp_path).returncode == 0


DIVERGING = {
    "a custom folder in a folder": ["seed=1,2", "hydra.sweep.subdir=x/y/${hydra.job.num}"],
    "folders of several sweeps": ["name=a,b"],
    "a pattern": ["schedule=glob(c*)"],
    "one value": ["seed=1"],
}


@pytest.mark.parametrize("words", DIVERGING.values(), ids=DIVERGING)
def test_a_sweep_says_that_every_member_diverged_wherever_the_members_are(command, tmp_path, words):
    done = command("vae-train", "-m", *words, "optimizer.lr=1e18", "log_every=1", *TINY, cwd=tmp_path)
    members = len(list(tmp_path.rglob("summary.json")))
    assert done.returncode == 1 and members == (1 if words == ["seed=1"] else 2)
    assert done.stdout.count("\ndiverged: ") == done.stdout.count("\n  diverged ") == members
    compared = done.stdout.rpartition("compare them: vae-compare ")[2].split()
    assert all((tmp_path / folder).is_dir() for folder in compared)


NO_ROOM = [OSError(number, os.strerror(number)) for number in
           (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EMFILE, errno.EIO)]  # fmt: skip


@pytest.mark.parametrize("launcher", ["basic", "packed"])
def test_members_that_had_no_room_go_on_with_the_same_command(command, tmp_path, launcher):
    """Each says what it could not write, and no switch is needed to train it again."""
    sweep = ["-m", f"hydra/launcher={launcher}", "name=s", "seed=1,2", *TINY]
    done = command("vae-train", *sweep, cwd=tmp_path, limits={"RLIMIT_FSIZE": 40_000})
    assert done.returncode == 1 and done.stderr == ""
    assert done.stdout.count("\ninterrupted: File too large: ") == done.stdout.count("\n  interrupted ") == 2
    again = command("vae-train", *sweep, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.count("\n  finished ") == 2
    assert {path.name for path in (tmp_path / "outputs/s").iterdir() if path.is_file()} == {"multirun.yaml"}


ENDS = [
    *[(error, "interrupted") for error in NO_ROOM],
    (Interrupted("by a signal"), "interrupted"),
    (Diverged("loss is nan"), "diverged"),
    (RuntimeError("a fault"), "failed"),
    (MemoryError(), "failed"),
    (UserError("key=value is not allowed"), "refused"),
    (RunRefused("the folder holds another run"), "refused"),
    (RunLocked("another process trains it"), "refused"),
]


@pytest.mark.parametrize(("error", "status"), ENDS, ids=lambda value: str(value))
@pytest.mark.parametrize("fail_fast", [False, True])
def test_every_error_of_a_member_becomes_its_entry_in_the_registry(
    tmp_path, monkeypatch, error, status, fail_fast
):
    """It does not leave the member; it stops the sweep with fail_fast only; and what it refuses leaves no folder."""
    call = SweepCall(tmp_path)
    call.folder.mkdir(parents=True)
    cfg = OmegaConf.create({"retry_failed": False, "fail_fast": fail_fast, "returns": "elbo"})
    hydra = OmegaConf.create({"job": {"num": 7}, "sweeper": {"_target_": "x"}})
    folder = RunFolder(tmp_path / "member")
    folder.path.mkdir()  # by Hydra

    @contextmanager
    def session(*_: object, **__: object) -> Iterator[None]:
        raise error
        yield

    monkeypatch.setattr(Job, "session", session)
    assert train_member(Job(cfg, hydra, folder, "basic", (call,))) is None
    (entry,) = SweepCall(tmp_path, call.id).entries()
    assert (entry.number, entry.status, Path(entry.folder)) == (7, status, folder.path)
    reason = getattr(error, "strerror", None) or str(error)
    assert reason in (entry.error or "") or isinstance(error, Interrupted | MemoryError)
    stops = fail_fast and not isinstance(error, Interrupted | RunLocked)
    assert (call.stop_reason() is not None) == stops
    assert folder.path.exists() != (status == "refused" and not isinstance(error, RunRefused))
