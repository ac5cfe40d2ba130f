"""The place on the machine that each member of a sweep gets."""

import os
import threading
from pathlib import Path

import pytest
import torch

from vae_cli.config import hardware
from vae_cli.errors import UserError
from vae_cli.sweeps import resources


@pytest.fixture(autouse=True)
def places(monkeypatch, tmp_path):
    """Lock files of this test only."""
    monkeypatch.setattr(resources.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def test_members_wait_for_a_place(monkeypatch):
    """With two places, five members are never three at once, and all come to their turn."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    now, most, lock = [0], [0], threading.Lock()
    both = threading.Barrier(2, timeout=20)  # both places are in use at the same time

    def member(i: int) -> None:
        with resources.place("submitit_local", "auto", 1):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            if i < 2:
                both.wait()
            with lock:
                now[0] -= 1

    for numbers in (range(2), range(2, 5)):
        threads = [threading.Thread(target=member, args=(i,)) for i in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert now == [0] and most == [2]


@pytest.mark.parametrize("launcher", ["", "basic", "joblib", "ray", "submitit_slurm"])
def test_no_member_waits_where_its_launcher_limits_their_number(monkeypatch, places, launcher):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with resources.place(launcher, "auto", 1):
        assert list(places.iterdir()) == []


def _a_link(folder: Path) -> None:
    folder.with_name("elsewhere").mkdir()
    folder.symlink_to("elsewhere")


def _a_link_in_it(folder: Path) -> None:
    folder.mkdir(0o700)
    (folder / "0").symlink_to("../precious")


FOREIGN = {
    "a link": _a_link,
    "a file": lambda folder: folder.write_text(""),
    "others may write to it": lambda folder: (folder.mkdir(), folder.chmod(0o777)),
    "a stranger's": lambda folder: (folder.mkdir(0o700), os.chown(folder, 12345, -1)),
    "a link in it": _a_link_in_it,
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_temporary_folder_of_somebody_else_is_not_written_to(monkeypatch, places, make):
    """Whoever comes first makes a folder in the system's temporary directory."""
    if make is FOREIGN["a stranger's"] and os.getuid() != 0:
        pytest.skip("only root gives folders away")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (places / "precious").write_text("precious")
    make(places / f"vae-cli-places-{os.getuid()}")
    before = sorted(places.rglob("*"))
    with (
        pytest.raises((UserError, OSError), match=r"no folder of yours alone|a link is not followed"),
        resources.place("submitit_local", "auto", 1),
    ):
        pass
    assert sorted(places.rglob("*")) == before and (places / "precious").read_text() == "precious"


def test_members_are_distributed_over_the_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    with (
        resources.place("joblib", "auto", 2),
        resources.place("joblib", "auto", 2),
        resources.place("joblib", "auto", 2),
    ):
        pass
    assert chosen == [0, 1, 0]


@pytest.mark.parametrize("visible", [None, "", "2,3"])
def test_members_of_submitit_local_see_the_gpus_of_the_sweep(monkeypatch, tmp_path, visible):
    """submitit itself hides all GPUs. The cores are divided among the places."""
    monkeypatch.setattr(hardware, "GPUS", tmp_path / "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    environment = {"VAE_CLI_GPUS": "7"} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    resources.remember_gpus()
    environment["CUDA_VISIBLE_DEVICES"] = ""  # as submitit does
    with resources.place("submitit_local", "auto", 1):
        assert environment.get("CUDA_VISIBLE_DEVICES") == visible
        assert environment["OMP_NUM_THREADS"] == ("4" if visible == "2,3" else "1")


@pytest.mark.parametrize(
    ("threads", "slurm", "expected"), [(3, None, 3), ("auto", "2", 2), (4, "2", 4), ("auto", None, None)]
)
def test_torch_gets_the_threads_of_the_key_or_else_those_of_slurm(monkeypatch, threads, slurm, expected):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    if slurm:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", slurm)
    limits: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", limits.append)
    resources.limit_threads(threads)
    assert limits == ([] if expected is None else [expected])


def test_more_threads_than_the_process_gets_are_refused(command, tmp_path):
    """Each needs some megabytes for its stack. OpenMP would end the process."""
    small = ("data.train_size=20", "data.validation_size=0", "data.test_size=20", "network.hidden=[8]")
    done = command("vae-train", *small, "threads=1024", cwd=tmp_path, limits={"RLIMIT_DATA": 2**31})
    assert done.returncode == 2 and done.stderr.startswith("vae-train: threads=1024 are more than the "), (
        done.stderr
    )
    assert list(tmp_path.iterdir()) == []
