"""A packed sweep in several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from run_comparison import assert_equal
from sweeps.packed.runs import BERNOULLI, contents, member, status, train_alone_at

from vae_cli.sweeps.packed import multi_gpu
from vae_cli.sweeps.packed.member import Member
from vae_cli.sweeps.packed.scheduler import train_members


@pytest.fixture
def four(tmp_path: Path) -> Iterator[list[Member]]:
    """Four members. torch has one thread, because forks do not have the threads of OpenMP that this process has
    started."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folders = [tmp_path / str(i) for i in range(4)]
    for folder in folders:
        folder.mkdir()
    yield [member(folder, *BERNOULLI, f"seed={i}") for i, folder in enumerate(folders)]
    torch.set_num_threads(before)


def test_each_group_is_dealt_out_to_processes(tmp_path, four, capsys):
    """The parent gets their objective values; each member equals its single run."""
    multi_gpu.train_in_processes(four, None, processes=2)
    assert "4 members in 2 processes" in capsys.readouterr().out
    for i, each in enumerate(four):
        train_alone_at(tmp_path / f"alone/{i}", *BERNOULLI, f"seed={i}")
        assert_equal(contents(tmp_path / f"alone/{i}"), contents(each.job.folder.path), 1e-9)
        summary = json.loads(each.job.folder.summary_file.read_text())
        assert each.objective_value == summary["validation"]["elbo"]


def test_a_process_that_is_killed_ends_only_its_share(four, monkeypatch):
    def killed(share: list[Member], most: int | None) -> None:
        if four[0] in share:
            os.kill(os.getpid(), signal.SIGKILL)
        train_members(share, most)

    monkeypatch.setattr(multi_gpu, "train_members", killed)
    multi_gpu.train_in_processes(four, None, processes=2)
    finished = [each.job.folder.summary_file.exists() for each in four]
    assert finished == [False, True, False, True] == [each.objective_value is not None for each in four]


def test_each_process_has_a_gpu_of_its_own(four, monkeypatch, tmp_path):
    """One of those that this process may use. Shares of a group differ by at most one member."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,7")

    def seen(share: list[Member], most: int | None) -> None:
        (tmp_path / os.environ["CUDA_VISIBLE_DEVICES"]).write_text(str(len(share)))

    monkeypatch.setattr(multi_gpu, "train_members", seen)
    multi_gpu.train_in_processes(four, None, processes=None)
    assert sorted((tmp_path / gpu).read_text() for gpu in "457") == ["1", "1", "2"]


def test_a_signal_to_the_command_saves_the_members_of_all_processes(tmp_path):
    words = [sys.executable, "-m", "vae_cli", "-m", "hydra/launcher=packed", "hydra.launcher.processes=2", "name=s",
             "seed=1,2,3", *BERNOULLI[:9], "epochs=100000", "checkpoint.minutes=1000", "device=cpu"]  # fmt: skip
    sweep = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("outputs/s/*/metrics.jsonl"))) < 3 or not all(
        file.read_text() for file in tmp_path.glob("outputs/s/*/metrics.jsonl")
    ):
        assert time.monotonic() < deadline and sweep.poll() is None, sweep.stdout and sweep.stdout.read()
        time.sleep(0.2)
    sweep.send_signal(signal.SIGINT)
    output, _ = sweep.communicate(timeout=60)
    assert sweep.returncode == 130, output
    statuses = [status(file.parent) for file in tmp_path.glob("outputs/s/*/summary.json")]
    assert statuses == ["interrupted"] * 3, output
