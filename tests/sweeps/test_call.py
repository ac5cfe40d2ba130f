"""The registry of a sweep's call: what the jobs note arrives, and nothing is left."""

import errno
import os
import pickle
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from vae_cli.runs import lock
from vae_cli.sweeps import call as calls
from vae_cli.sweeps.call import Entry, SweepCall


def entry(number: int, status: str = "finished", **others) -> Entry:
    return Entry(number, f"/somewhere/{number}", status, os.getpid(), platform.node(), **others)


def test_what_the_jobs_note_arrives_whatever_the_clock_and_the_launcher_are(tmp_path):
    """A launcher passes a copy of the call to the job. The order is that of the numbers, and a later entry counts."""
    call = SweepCall(tmp_path)
    with call.begun():
        for number in (11, 2):
            job = pickle.loads(pickle.dumps(call))
            job.note(entry(number, "running"))
            os.utime(job.folder / f"{number}.json", (0, 0))
            job.note(entry(number, settings={"seed": number}, error="Größe", before=True))
            os.utime(job.folder / f"{number}.json", (2**33, 2**33))
        found = call.entries()
    assert found == [entry(n, settings={"seed": n}, error="Größe", before=True) for n in (2, 11)]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_hides_nothing_from_the_process_that_notes(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    call = SweepCall(tmp_path)
    monkeypatch.setattr(calls, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        call.note(entry(1, "interrupted"))
    assert call.entries() == [entry(1, "interrupted")]


def test_a_job_that_outlives_the_call_notes_nothing_and_does_not_fail(tmp_path):
    call = SweepCall(tmp_path)
    with call.begun():
        pass
    call.note(entry(1))
    call.stop("too late")
    assert list(tmp_path.iterdir()) == [] and call.stop_reason() is None


def test_the_registry_stays_for_jobs_that_run_longer_and_the_next_call_removes_it(tmp_path):
    first, second = SweepCall(tmp_path), SweepCall(tmp_path)
    with first.begun():
        first.note(entry(1, "running"))
        first.stop("one failed")
    assert first.stop_reason() == "one failed" and second.stop_reason() is None
    with second.begun():
        assert list((tmp_path / calls.REGISTRIES).iterdir()) == [second.folder]
    assert not (tmp_path / calls.REGISTRIES).exists()


def test_the_registry_of_a_call_that_runs_is_not_removed(tmp_path):
    first, second = SweepCall(tmp_path), SweepCall(tmp_path)
    with first.begun():
        first.note(entry(1))
        with second.begun():
            second.note(entry(1, "refused"))
        assert first.entries() == [entry(1)] and not second.folder.exists()


def test_the_registry_of_a_killed_call_is_removed(tmp_path):
    killed = SweepCall(tmp_path)
    killed.folder.mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    lock.lock_file(killed.folder).write_text(f"pid {process.pid} on {platform.node()}")
    with SweepCall(tmp_path).begun():
        assert not killed.folder.exists()


@pytest.mark.parametrize(
    ("folder", "name"),
    [("s/seed=1", "seed=1"), ("s/a/b", "a/b"), ("other/seed=1", "other/seed=1"), ("s", "s"), ("../x", None)],
)
def test_members_are_named_by_their_folders(tmp_path, folder, name):
    path = Path(os.path.normpath(tmp_path / folder))
    found = SweepCall(tmp_path / "s").name(entry(1)._replace(folder=str(path)))
    assert found == (name or str(path))


def test_a_refused_sweep_leaves_the_working_directory(tmp_path, monkeypatch):
    """Empty as it may be, and the folders above it."""
    (tmp_path / "above/here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "above/here")
    with SweepCall(Path("outputs/s").absolute()).begun():
        pass
    assert [str(path) for path in tmp_path.rglob("*")] == [f"{tmp_path}/above", f"{tmp_path}/above/here"]
