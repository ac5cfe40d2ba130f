"""Sweeps by submitit: as local processes, and as jobs of a real Slurm."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.launchers import one_host_slurm
from integration.launchers.sweep import RECTANGLES, SAVED, Sweep, continued, kill, needs, single_run
from run_comparison import assert_equal_runs

pytestmark = [pytest.mark.launchers, needs("hydra-submitit-launcher", "slurm")]


def test_submitit_local_continues_when_a_member_is_killed_and_trains_each_once(tmp_path):
    call = ["hydra/launcher=submitit_local", "epochs=1,15", *RECTANGLES, *SAVED]
    sweep = Sweep(tmp_path, "epochs", call)
    kill(sweep.wait_for_checkpoint("15"))
    assert sweep.wait() == 1, sweep.output()
    assert sweep.statuses() == {"1": "finished"} and "killed by SIGKILL" in sweep.output()
    again = Sweep(tmp_path, "epochs", call)
    assert again.wait() == 0, again.output()
    assert again.statuses() == {"1": "finished", "15": "finished"} and continued(again.members()["15"])
    before = {file: file.read_bytes() for file in sweep.folder.glob("*/metrics.jsonl")}
    assert Sweep(tmp_path, "epochs", call).wait() == 0
    assert len(before) == 2 and {file: file.read_bytes() for file in before} == before


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, str]]:
    with one_host_slurm.one_host_slurm(tmp_path / "slurm") as environment:
        yield environment


@pytest.mark.skipif(one_host_slurm.missing() is not None, reason=one_host_slurm.missing() or "")
def test_slurm_continues_when_members_are_preempted_killed_or_cancelled(cluster, tmp_path):
    """The member with 1 epoch is not disturbed, 40 is preempted, 41 is killed, 42 is cancelled. Slurm does no
    accounting."""
    call = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1"]
    call += ["epochs=1,40,41,42", *RECTANGLES, *SAVED]
    sweep = Sweep(tmp_path, "epochs", call, cluster)

    def slurm(*words: str) -> str:
        return one_host_slurm.run(*words, environment=cluster)

    preempted = sweep.wait_for_checkpoint("40")
    (script,) = (sweep.folder / ".submitit").glob("*/*_submission.sh")
    array = script.parent.name
    job = f"{array}_1"
    # as at preemption and at the time limit, by sbatch --signal=USR2@…; scancel waits, although the signal has arrived
    signalling = subprocess.Popen(["scancel", "--signal=USR2", job], env=cluster, stderr=subprocess.DEVNULL)
    sweep.wait_until(lambda: "PENDING" in slurm("squeue", "--noheader", f"--jobs={job}", "--format=%T"))
    signalling.kill()
    signalling.wait()
    assert sweep.statuses()["40"] == "interrupted"
    slurm("scontrol", "update", f"JobId={job}", "StartTime=now")  # Slurm itself waits two minutes
    kill(sweep.wait_for_checkpoint("41"))
    sweep.wait_for_checkpoint("42")
    slurm("scancel", f"{array}_3")
    assert sweep.wait() == 1, sweep.output()
    assert sweep.statuses() == {"1": "finished", "40": "finished"}
    assert sweep.output().count(" died; the same command continues it: ") == 2
    assert "Restarts=1" in slurm("scontrol", "show", "job", job) and continued(preempted)
    assert_equal_runs(preempted, single_run(tmp_path, "name=s", "epochs=40", *RECTANGLES, *SAVED))

    before = sweep.summaries()
    again = Sweep(tmp_path, "epochs", call, cluster)
    assert again.wait() == 0, again.output()
    assert set(again.statuses()) == {"1", "40", "41", "42"} and set(again.statuses().values()) == {"finished"}
    assert continued(again.members()["41"]) and continued(again.members()["42"])
    assert again.summaries() == before | {value: again.summaries()[value] for value in ("41", "42")}
