"""What asks a run to end, or to save itself; and which place on the machine a member takes."""

import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from vae_cli.errors import Interrupted
from vae_cli.sweeps import resources
from vae_cli.training.interrupts import Interrupts


@pytest.fixture(autouse=True)
def without_nohup():
    """Whoever runs the tests may have started them with it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def requeued(monkeypatch):
    """The calls of submitit's handlers, installed as it does; the job is Slurm's."""
    calls: list[int] = []
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    numbers = (signal.SIGUSR2, signal.SIGTERM)
    before = {number: signal.signal(number, lambda n, _: calls.append(n)) for number in numbers}
    yield calls
    for number, handler in before.items():
        signal.signal(number, handler)


ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2]


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_deferred_to_the_end_of_a_step_and_the_second_one_is_not(number):
    with Interrupts() as interrupts:
        with interrupts.defer():
            signal.raise_signal(number)
            assert interrupts.take() == "end" == interrupts.take()
            with pytest.raises(Interrupted):
                signal.raise_signal(number)
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)


def test_the_same_wish_by_two_ways_is_one_wish():
    """Ctrl-C reaches a sweep's member from the terminal, and from the sweep as SIGTERM."""
    with Interrupts() as interrupts, interrupts.defer():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.take() == "end"


def test_handlers_are_put_back_and_nohup_is_respected():
    before = [signal.getsignal(number) for number in ENDING]
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Interrupts() as interrupts, interrupts.defer():
            signal.raise_signal(signal.SIGHUP)
            assert interrupts.take() is None
    finally:
        signal.signal(signal.SIGHUP, hangup)
    assert [signal.getsignal(number) for number in ENDING] == before


def test_preemption_ends_the_run_and_then_requeues_the_job(requeued):
    with pytest.raises(Interrupted), Interrupts() as interrupts:
        with interrupts.defer():
            signal.raise_signal(signal.SIGUSR2)
            assert interrupts.take() == "end" and requeued == []
        raise Interrupted
    assert requeued == [signal.SIGUSR2]


def test_sigterm_of_a_slurm_job_is_a_wish_for_a_checkpoint(requeued):
    """Told once; and none where there is nothing to save."""
    with Interrupts() as interrupts:
        with interrupts.defer():
            signal.raise_signal(signal.SIGTERM)
            assert [interrupts.take(), interrupts.take()] == ["save", None]
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.take() is None
    assert requeued == []


@pytest.mark.parametrize(
    ("environment", "job"),
    [({"SLURM_JOB_ID": "7"}, "7"), ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, "7_2")],
)  # fmt: skip
def test_a_slurm_job_of_its_own_asks_scontrol(tmp_path, monkeypatch, environment, job):
    """A batch script that runs vae-train: nobody else requeues it."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with Interrupts() as interrupts, interrupts.defer():
        signal.raise_signal(signal.SIGUSR2)
    assert (tmp_path / "asked").read_text() == f"requeue {job}\n"


def test_outside_the_main_thread_signals_are_left_alone():
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def body() -> None:
        with Interrupts() as interrupts:
            seen.append((interrupts.take(), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [(None, before)]


# --- places on the machine ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("visible", "count"), [("", 0), ("-1", 0), ("0", 1), ("0,3", 2), ("GPU-a,GPU-b", 2)])
def test_gpus_are_counted_as_cuda_shows_them(monkeypatch, visible, count):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert resources.gpus() == count


def test_gpus_are_counted_as_the_driver_lists_them(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(resources, "GPUS", tmp_path / "none")
    assert resources.gpus() == 0
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    monkeypatch.setattr(resources, "GPUS", tmp_path / "gpus")
    assert resources.gpus() == 2


def test_as_many_jobs_at_once_as_gpus_or_cores_allow(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert [resources.parallel_jobs(threads, 1) for threads in ("auto", 1, 3, 100)] == [8, 8, 2, 1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert resources.parallel_jobs("auto", 3) == 6


def test_members_wait_for_a_place(monkeypatch, tmp_path):
    """Two places and five members: never three at once, and all come to their turn."""
    monkeypatch.setattr(resources.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    now, most, lock = [0], [0], threading.Lock()
    together = threading.Barrier(2, timeout=20)  # both places are in use at the same time

    def member(i: int) -> None:
        with resources.seat("submitit_local", "auto", 1):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            if i < 2:
                together.wait()
            with lock:
                now[0] -= 1

    threads = [threading.Thread(target=member, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    threads = [threading.Thread(target=member, args=(i,)) for i in range(2, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert now == [0] and most == [2]


@pytest.mark.parametrize("launcher", ["", "basic", "joblib", "ray", "submitit_slurm"])
def test_no_member_waits_where_somebody_else_counts(monkeypatch, tmp_path, launcher):
    monkeypatch.setattr(resources.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with resources.seat(launcher, "auto", 1):
        assert list(Path(tmp_path).iterdir()) == []


def test_members_are_spread_over_the_gpus(monkeypatch, tmp_path):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(resources.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    with (
        resources.seat("joblib", "auto", 2),
        resources.seat("joblib", "auto", 2),
        resources.seat("joblib", "auto", 2),
    ):
        pass
    assert chosen == [0, 1, 0]


@pytest.mark.parametrize("visible", [None, "", "2,3"])
def test_members_of_submitit_local_see_the_gpus_of_the_sweep(monkeypatch, tmp_path, visible):
    """submitit itself hides them all; and cores are shared out among the places."""
    monkeypatch.setattr(resources.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(resources, "GPUS", tmp_path / "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    environment = {"VAE_CLI_GPUS": "7"} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr("torch.cuda.set_device", lambda _: None)
    resources.remember_gpus()
    environment["CUDA_VISIBLE_DEVICES"] = ""  # submitit
    with resources.seat("submitit_local", "auto", 1):
        assert environment.get("CUDA_VISIBLE_DEVICES") == visible
        assert environment["OMP_NUM_THREADS"] == ("4" if visible == "2,3" else "1")


def test_rays_share_of_a_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert [resources.gpu_share(jobs) for jobs in (1, 3, 4)] == [1, 0.3333, 0.25]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert resources.gpu_share(4) == 0


@pytest.mark.parametrize(
    ("threads", "given", "limit"), [(3, None, 3), ("auto", "2", 2), (4, "2", 4), ("auto", None, None)]
)
def test_threads_are_what_is_asked_for_else_what_slurm_gave(monkeypatch, threads, given, limit):
    torch = pytest.importorskip("torch")
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    if given:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", given)
    told: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    resources.limit_threads(threads)
    assert told == ([] if limit is None else [limit])
