"""Sweeps through real launchers whose members are killed, preempted, diverge and fail: `make test-launchers`."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import one_host_slurm
import pytest
import torch

DATA = Path(__file__).parent / "data"
TINY = ["network.hidden=[8]", "nll_samples=5", "batch_size=10", "log_every=100"]
DRAWN = [
    *TINY,
    "data.train_size=2000",
    "data.validation_size=20",
    "data.test_size=20",
]  # about 0.2 s an epoch
SAVED = ["checkpoint.epochs=1", "validate_every=10"]  # so that a killed member has something to go on from

pytestmark = pytest.mark.launchers
joblib = pytest.mark.skipif(
    not find_spec("joblib") or not find_spec("hydra_plugins.hydra_joblib_launcher"),
    reason="hydra-joblib-launcher is not installed: pip install 'vae-cli[joblib]'",
)
submitit = pytest.mark.skipif(
    not find_spec("submitit"), reason="submitit is not installed: pip install 'vae-cli[slurm]'"
)
ray = pytest.mark.skipif(not find_spec("ray"), reason="ray is not installed: pip install 'vae-cli[ray]'")
slurm = pytest.mark.skipif(one_host_slurm.missing() is not None, reason=one_host_slurm.missing() or "")


class Sweep:
    """`vae-train -m …` in `cwd`, as a process of its own."""

    def __init__(self, cwd: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.folder = cwd / "outputs/s"
        given = {k: v for k, v in os.environ.items() if k not in ("VAE_CLI_DATA", "HYDRA_FULL_ERROR")}
        given |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""} | (environment or {})
        self.log = cwd / f"{len(list(cwd.glob('*.log')))}.log"
        words = [sys.executable, "-m", "vae_cli", "-m", "name=s", *arguments]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(words, cwd=cwd, env=given, stdout=log, stderr=log)

    def member(self, part: str) -> Path | None:
        """The folder whose overrides contain `part`."""
        return next((f for f in self.folder.glob("*/") if f",{part}," in f",{f.name},"), None)

    def training(self, part: str) -> Path:
        """Wait until that member has written a checkpoint."""
        return self.until(lambda: (f := self.member(part)) and (f / "checkpoints/last.pt").exists() and f)

    def until(self, condition: Callable[[], Any]) -> Any:
        end = time.monotonic() + 90
        while not (found := condition()):
            assert self.process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.05)
        return found

    def end(self, timeout: float = 150) -> int:
        try:
            return self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                print(self.said())
                self.process.kill()
                self.process.wait()

    def said(self) -> str:
        return self.log.read_text()

    def summaries(self) -> dict[str, bytes]:
        return {file.parent.name: file.read_bytes() for file in self.folder.glob("*/summary.json")}

    def statuses(self) -> dict[str, str]:
        """By what the members' names have after `lr=` or `epochs=`."""
        found = {}
        for file in self.folder.glob("*/.hydra/overrides.yaml"):
            key = re.search(r"(?:lr|epochs|seed)=([^\s,]+)", file.read_text())
            summary = file.parent.parent / "summary.json"
            assert key
            found[key[1]] = json.loads(summary.read_text())["status"] if summary.exists() else "none"
        return found


def kill(member: Path) -> None:
    """As the kernel does when memory runs out."""
    found = re.match(r"pid (\d+) on ", (member / ".lock").read_text())
    assert found
    os.kill(int(found[1]), signal.SIGKILL)


def went_on(member: Path) -> bool:
    return re.search(r"resumed +at step", (member / "train.log").read_text()) is not None


def assert_same_training(one: Path, other: Path) -> None:
    """Bit for bit: parameters, optimizer, random generators, and the figures at the end."""
    figures = [json.loads((folder / "summary.json").read_text()) for folder in (one, other)]
    for key in ("status", "steps", "validation", "test"):
        assert figures[0][key] == figures[1][key]
    states = [torch.load(folder / "checkpoints/last.pt", weights_only=True) for folder in (one, other)]
    assert states[0].keys() == states[1].keys()
    for key in states[0].keys() - {"seconds"}:
        torch.testing.assert_close(
            states[0][key], states[1][key], rtol=0, atol=0
        ) if key != "config" else None


def solo(cwd: Path, *arguments: str) -> Path:
    """The folder of an uninterrupted run."""
    words = [sys.executable, "-m", "vae_cli", f"hydra.run.dir={cwd}/solo", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(words, cwd=cwd, env=environment, check=True, capture_output=True)
    return cwd / "solo"


@joblib
def test_joblib_goes_on_when_members_are_killed_diverge_and_fail(tmp_path):
    call = [
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "optimizer.lr=0.001,0.002,1e18,-1",
        "epochs=25",
    ]
    call += [*DRAWN, *SAVED]
    sweep = Sweep(tmp_path, *call)
    kill(sweep.training("lr=0.002"))
    assert sweep.end() == 1, sweep.said()
    assert sweep.statuses() == {
        "0.001": "finished",
        "0.002": "interrupted",
        "1e18": "diverged",
        "-1": "failed",
    }
    assert "Traceback" not in sweep.said() and "SIGKILL" in sweep.said()

    before = sweep.summaries()
    again = Sweep(tmp_path, *call)
    assert again.end() == 1
    assert again.statuses() == {"0.001": "finished", "0.002": "finished", "1e18": "diverged", "-1": "failed"}
    killed = again.member("lr=0.002")
    assert killed and went_on(killed)
    assert {name for name, summary in again.summaries().items() if summary != before[name]} == {killed.name}
    assert again.said().count("retry_failed=true tries it again") == 2

    before = again.summaries()
    tried = Sweep(tmp_path, *call, "retry_failed=true")
    assert tried.end() == 1
    assert tried.statuses() == again.statuses()
    changed = {name for name, summary in tried.summaries().items() if summary != before[name]}
    assert changed >= {folder.name for folder in [tried.member("lr=1e18")] if folder}
    assert "tries it again" not in tried.said()


@submitit
def test_submitit_local_trains_each_member_once(tmp_path):
    call = ["hydra/launcher=submitit_local", "seed=1,2,3", "epochs=1", *DRAWN]
    sweep = Sweep(tmp_path, *call)
    assert sweep.end() == 0, sweep.said()
    assert sweep.statuses() == {"1": "finished", "2": "finished", "3": "finished"}
    before = {file: file.read_bytes() for file in sweep.folder.glob("*/metrics.jsonl")}
    again = Sweep(tmp_path, *call)
    assert again.end() == 0, again.said()
    assert len(before) == 3 and {file: file.read_bytes() for file in before} == before


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, str]]:
    with one_host_slurm.one_host_slurm(tmp_path / "slurm") as environment:
        yield environment


@submitit
@slurm
def test_slurm_preempts_one_member_and_kills_another(cluster, tmp_path):
    """`epochs` tells the members apart: 1 is left alone, 40 is preempted, 41 is killed."""
    call = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1"]
    call += ["epochs=1,40,41", *DRAWN, *SAVED]
    sweep = Sweep(tmp_path, *call, environment=cluster)

    def slurm(*words: str) -> str:
        return one_host_slurm.run(*words, environment=cluster)

    preempted = sweep.training("epochs=40")
    (script,) = (sweep.folder / ".submitit").glob("*/*_submission.sh")
    job = f"{script.parent.name}_1"
    slurm("scancel", "--signal=USR2", job)  # as sbatch --signal=USR2@… and preemption do
    sweep.until(lambda: "PENDING" in slurm("squeue", "--noheader", f"--jobs={job}", "--format=%T"))
    assert json.loads((preempted / "summary.json").read_text())["status"] == "interrupted"
    slurm("scontrol", "update", f"JobId={job}", "StartTime=now")  # Slurm would wait two minutes
    kill(sweep.training("epochs=41"))
    assert sweep.end() == 1, sweep.said()  # without accounts submitit would wait for the killed one for ever
    assert sweep.statuses() == {"1": "finished", "40": "finished", "41": "none"}
    assert "Restarts=1" in slurm("scontrol", "show", "job", job) and went_on(preempted)
    assert_same_training(preempted, solo(tmp_path, "epochs=40", *DRAWN, *SAVED))

    before = sweep.summaries()
    again = Sweep(tmp_path, *call, environment=cluster)
    assert again.end() == 0, again.said()
    assert again.statuses() == {"1": "finished", "40": "finished", "41": "finished"}
    killed = again.member("epochs=41")
    assert killed and went_on(killed)
    assert again.summaries() == before | {killed.name: (killed / "summary.json").read_bytes()}


@pytest.fixture
def short() -> Iterator[Path]:
    """Sockets have paths of at most 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def head(short: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A cluster that was started in another folder and another environment; what its drivers need."""
    (tmp_path / "A").mkdir()
    (tmp_path / "B").mkdir()
    here = {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": str(short)}
    (port,) = one_host_slurm.free_ports(1)
    command = f"start --head --block --node-ip-address=127.0.0.2 --port={port} --num-cpus=2 --include-dashboard=false --disable-usage-stats"
    environment = {k: v for k, v in os.environ.items() if k != "VAE_CLI_DATA"} | here
    with (tmp_path / "A/log").open("w") as log:
        words = [sys.executable, "-m", "ray.scripts.scripts", *command.split()]
        process = subprocess.Popen(words, cwd=tmp_path / "A", env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while "Ray runtime started" not in (said := (tmp_path / "A/log").read_text()):
            assert process.poll() is None and time.monotonic() < end, said
            time.sleep(0.1)
        yield here | {"ADDRESS": f"127.0.0.2:{port}"}
    finally:
        process.terminate()
        process.wait(60)


@ray
def test_ray_finds_the_drivers_data_and_folder_and_brings_a_killed_member_back(head, tmp_path):
    """The digits are where VAE_CLI_DATA of the driver says, which the cluster has never heard of."""
    call = [
        "hydra/launcher=ray",
        f"hydra.launcher.ray.init.address={head['ADDRESS']}",
        "epochs=1,150",
        *TINY,
        *SAVED,
    ]
    call += ["data=mnist", "data.validation_size=100"]
    sweep = Sweep(tmp_path / "B", *call, environment=head | {"VAE_CLI_DATA": str(DATA)})
    killed = sweep.training("epochs=150")
    kill(killed)
    assert sweep.end() == 0, sweep.said()
    assert sweep.statuses() == {"1": "finished", "150": "finished"} and went_on(killed)
    assert [file.name for file in (tmp_path / "A").iterdir()] == ["log"]


@ray
def test_ray_starts_an_instance_of_its_own(short, tmp_path):
    environment = {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": str(short)}
    sweep = Sweep(tmp_path, "hydra/launcher=ray", "seed=1,2", "epochs=1", *DRAWN, environment=environment)
    assert sweep.end() == 0, sweep.said()
    assert sweep.statuses() == {"1": "finished", "2": "finished"}
