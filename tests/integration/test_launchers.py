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
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import yaml
from integration import one_host_slurm

DATA = Path(__file__).parents[1] / "data"
TINY = ["network.hidden=[8]", "nll_samples=5", "batch_size=10", "log_every=100"]
# about 0.2 s an epoch
DRAWN = [*TINY, "data.train_size=2000", "data.validation_size=20", "data.test_size=20"]
SAVED = ["checkpoint.epochs=1", "validate_every=10"]  # so that a killed member has something to go on from

pytestmark = pytest.mark.launchers


def needs(plugin: str, extra: str) -> pytest.MarkDecorator:
    missing = f"{plugin} is not installed: pip install 'vae-cli[{extra}]'"
    return pytest.mark.skipif(plugin not in {found.name for found in distributions()}, reason=missing)


joblib = needs("hydra-joblib-launcher", "joblib")
submitit = needs("hydra-submitit-launcher", "slurm")
ray = needs("hydra-ray-launcher", "ray")
slurm = pytest.mark.skipif(one_host_slurm.missing() is not None, reason=one_host_slurm.missing() or "")


class Sweep:
    """`vae-train -m …` in `cwd` as a process of its own. `key` tells its members apart."""

    started: ClassVar[list["Sweep"]] = []

    def __init__(
        self, cwd: Path, key: str, call: list[str], environment: dict[str, str] | None = None
    ) -> None:
        self.folder, self.key = cwd / "outputs/s", key
        given = {k: v for k, v in os.environ.items() if k not in ("VAE_CLI_DATA", "HYDRA_FULL_ERROR")}
        given |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""} | (environment or {})
        self.log = cwd / f"{len(list(cwd.glob('*.log')))}.log"
        words = [sys.executable, "-m", "vae_cli", "-m", "name=s", *call]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(words, cwd=cwd, env=given, stdout=log, stderr=log)
        self.started.append(self)

    def members(self) -> dict[str, Path]:
        """By what `key` is in them."""
        found = {}
        for file in self.folder.glob("*/.hydra/overrides.yaml"):
            overrides = dict(override.split("=", 1) for override in yaml.safe_load(file.read_text()))
            found[overrides[self.key]] = file.parent.parent
        return found

    def summaries(self) -> dict[str, bytes]:
        files = {value: folder / "summary.json" for value, folder in self.members().items()}
        return {value: file.read_bytes() for value, file in files.items() if file.exists()}

    def statuses(self) -> dict[str, str]:
        return {value: json.loads(summary)["status"] for value, summary in self.summaries().items()}

    def training(self, value: str) -> Path:
        """Wait until that member has written a checkpoint."""
        self.until(
            lambda: value in self.members() and (self.members()[value] / "checkpoints/last.pt").exists()
        )
        return self.members()[value]

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 90
        while not condition():
            assert self.process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.05)

    def end(self) -> int:
        try:
            return self.process.wait(150)
        except subprocess.TimeoutExpired:
            pytest.fail(self.said())

    def said(self) -> str:
        return self.log.read_text()


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    yield
    for sweep in Sweep.started:
        sweep.process.kill()
        sweep.process.wait()


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
    for state in states:
        del state["seconds"]
    assert alike(*states)


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


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
        "epochs=15",
    ]
    call += [*DRAWN, *SAVED]
    sweep = Sweep(tmp_path, "optimizer.lr", call)
    kill(sweep.training("0.002"))
    assert sweep.end() == 1, sweep.said()
    ended = {"0.001": "finished", "0.002": "interrupted", "1e+18": "diverged", "-1": "failed"}
    assert sweep.statuses() == ended
    assert "Traceback" not in sweep.said() and "SIGKILL" in sweep.said()

    before = sweep.summaries()
    again = Sweep(tmp_path, "optimizer.lr", call)
    assert again.end() == 1
    assert again.statuses() == ended | {"0.002": "finished"} and went_on(again.members()["0.002"])
    assert again.summaries() == before | {"0.002": again.summaries()["0.002"]}
    assert len(re.findall("(?m)^refused: .*; retry_failed=true tries it again", again.said())) == 2

    before = again.summaries()
    tried = Sweep(tmp_path, "optimizer.lr", [*call, "retry_failed=true"])
    assert tried.end() == 1
    assert tried.statuses() == again.statuses() and "refused" not in tried.said()
    assert tried.summaries()["1e+18"] != before["1e+18"]
    assert tried.summaries() == before | {value: tried.summaries()[value] for value in ("1e+18", "-1")}


@submitit
def test_submitit_local_goes_on_when_a_member_is_killed_and_trains_each_once(tmp_path):
    call = ["hydra/launcher=submitit_local", "epochs=1,15", *DRAWN, *SAVED]
    sweep = Sweep(tmp_path, "epochs", call)
    kill(sweep.training("15"))
    assert sweep.end() == 1, sweep.said()
    assert sweep.statuses() == {"1": "finished", "15": "interrupted"} and "SIGKILL" in sweep.said()
    again = Sweep(tmp_path, "epochs", call)
    assert again.end() == 0, again.said()
    assert again.statuses() == {"1": "finished", "15": "finished"} and went_on(again.members()["15"])
    before = {file: file.read_bytes() for file in sweep.folder.glob("*/metrics.jsonl")}
    assert Sweep(tmp_path, "epochs", call).end() == 0
    assert len(before) == 2 and {file: file.read_bytes() for file in before} == before


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dict[str, str]]:
    with one_host_slurm.one_host_slurm(tmp_path / "slurm") as environment:
        yield environment


@submitit
@slurm
def test_slurm_goes_on_when_members_are_preempted_killed_and_cancelled(cluster, tmp_path):
    """`epochs` tells them apart: 1 is left alone, 40 is preempted, 41 is killed, 42 is cancelled. Nobody keeps accounts."""
    call = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1"]
    call += ["epochs=1,40,41,42", *DRAWN, *SAVED]
    sweep = Sweep(tmp_path, "epochs", call, cluster)

    def slurm(*words: str) -> str:
        return one_host_slurm.run(*words, environment=cluster)

    preempted = sweep.training("40")
    (script,) = (sweep.folder / ".submitit").glob("*/*_submission.sh")
    array = script.parent.name
    job = f"{array}_1"
    # as preemption and the time limit do, by sbatch --signal=USR2@…; scancel itself cannot believe that it came true at once
    signalling = subprocess.Popen(["scancel", "--signal=USR2", job], env=cluster, stderr=subprocess.DEVNULL)
    sweep.until(lambda: "PENDING" in slurm("squeue", "--noheader", f"--jobs={job}", "--format=%T"))
    signalling.kill()
    signalling.wait()
    assert sweep.statuses()["40"] == "interrupted"
    slurm("scontrol", "update", f"JobId={job}", "StartTime=now")  # Slurm itself waits two minutes
    kill(sweep.training("41"))
    sweep.training("42")
    slurm("scancel", f"{array}_3")
    assert sweep.end() == 1, sweep.said()
    assert sweep.statuses() == {"1": "finished", "40": "finished"}
    assert sweep.said().count(" died; the same command continues it: ") == 2
    assert "Restarts=1" in slurm("scontrol", "show", "job", job) and went_on(preempted)
    assert_same_training(preempted, solo(tmp_path, "name=s", "epochs=40", *DRAWN, *SAVED))

    before = sweep.summaries()
    again = Sweep(tmp_path, "epochs", call, cluster)
    assert again.end() == 0, again.said()
    assert set(again.statuses()) == {"1", "40", "41", "42"} and set(again.statuses().values()) == {"finished"}
    assert went_on(again.members()["41"]) and went_on(again.members()["42"])
    assert again.summaries() == before | {value: again.summaries()[value] for value in ("41", "42")}


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
        yield here | {"address": f"127.0.0.2:{port}"}
    finally:
        process.terminate()
        process.wait(60)


@ray
def test_ray_finds_the_drivers_data_and_folder_and_brings_a_killed_member_back(head, tmp_path):
    """The digits are where VAE_CLI_DATA of the driver says, of which the cluster has never heard."""
    call = [
        "hydra/launcher=ray",
        f"hydra.launcher.ray.init.address={head.pop('address')}",
        "epochs=1,150",
        *TINY,
    ]
    call += [*SAVED, "data=mnist", "data.validation_size=100"]
    sweep = Sweep(tmp_path / "B", "epochs", call, head | {"VAE_CLI_DATA": str(DATA)})
    killed = sweep.training("150")
    kill(killed)
    assert sweep.end() == 0, sweep.said()
    assert sweep.statuses() == {"1": "finished", "150": "finished"} and went_on(killed)
    assert [file.name for file in (tmp_path / "A").iterdir()] == ["log"]


@ray
def test_ray_starts_an_instance_of_its_own(short, tmp_path):
    call = ["hydra/launcher=ray", "seed=1,2", "epochs=1", *DRAWN]
    sweep = Sweep(tmp_path, "seed", call, {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": str(short)})
    assert sweep.end() == 0, sweep.said()
    assert sweep.statuses() == {"1": "finished", "2": "finished"}
