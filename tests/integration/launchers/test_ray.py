"""Sweeps by Ray: on a cluster, and on an instance that the sweep starts."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.launchers.one_host_slurm import free_ports
from integration.launchers.sweep import RECTANGLES, SAVED, TINY, Sweep, continued, kill, needs

DATA = Path(__file__).parents[2] / "data"

pytestmark = [pytest.mark.launchers, needs("hydra-ray-launcher", "ray")]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path: paths of sockets have at most 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def head(short: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A cluster that was started in another folder and another environment. Yields what its drivers need."""
    (tmp_path / "A").mkdir()
    (tmp_path / "B").mkdir()
    here = {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": str(short)}
    (port,) = free_ports(1)
    command = f"start --head --block --node-ip-address=127.0.0.2 --port={port} --num-cpus=2 --include-dashboard=false --disable-usage-stats"
    environment = {k: v for k, v in os.environ.items() if k != "VAE_CLI_DATA"} | here
    with (tmp_path / "A/log").open("w") as log:
        words = [sys.executable, "-m", "ray.scripts.scripts", *command.split()]
        process = subprocess.Popen(words, cwd=tmp_path / "A", env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while "Ray runtime started" not in (output := (tmp_path / "A/log").read_text()):
            assert process.poll() is None and time.monotonic() < end, output
            time.sleep(0.1)
        yield here | {"address": f"127.0.0.2:{port}"}
    finally:
        process.terminate()
        process.wait(60)


def test_ray_finds_the_drivers_data_and_folder_and_restarts_a_killed_member(head, tmp_path):
    """The digits are in the folder of the driver's VAE_CLI_DATA, which the environment of the cluster does not have."""
    call = ["hydra/launcher=ray", f"hydra.launcher.ray.init.address={head.pop('address')}", "epochs=1,150"]
    call += [*TINY, *SAVED, "data=mnist", "data.validation_size=100"]
    sweep = Sweep(tmp_path / "B", "epochs", call, head | {"VAE_CLI_DATA": str(DATA)})
    killed = sweep.wait_for_checkpoint("150")
    kill(killed)
    assert sweep.wait() == 0, sweep.output()
    assert sweep.statuses() == {"1": "finished", "150": "finished"} and continued(killed)
    assert [file.name for file in (tmp_path / "A").iterdir()] == ["log"]


def test_ray_starts_its_own_instance(short, tmp_path):
    call = ["hydra/launcher=ray", "seed=1,2", "epochs=1", *RECTANGLES]
    sweep = Sweep(tmp_path, "seed", call, {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": str(short)})
    assert sweep.wait() == 0, sweep.output()
    assert sweep.statuses() == {"1": "finished", "2": "finished"}
