"""GPUs and cores, counted without torch."""

import os

import pytest

from vae_cli.config import hardware


@pytest.mark.parametrize(("visible", "count"), [("", 0), ("-1", 0), ("0", 1), ("0,3", 2), ("GPU-a,GPU-b", 2)])
def test_visible_gpus_are_counted_as_cuda_reads_the_variable(monkeypatch, visible, count):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert hardware.gpu_count() == count


def test_without_the_variable_the_gpus_of_the_driver_are_counted(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(hardware, "GPUS", tmp_path / "none")
    assert hardware.gpu_count() == 0
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / name).mkdir(parents=True)
    monkeypatch.setattr(hardware, "GPUS", tmp_path / "gpus")
    assert hardware.gpu_count() == 2


def test_gpus_or_else_cores_limit_the_number_of_parallel_jobs(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert [hardware.parallel_jobs(threads, 1) for threads in ("auto", 1, 3, 100)] == [8, 8, 2, 1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert hardware.parallel_jobs("auto", 3) == 6


def test_the_share_of_a_gpu_is_rounded_down_as_ray_counts(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert [hardware.gpu_share(jobs) for jobs in (1, 3, 4)] == [1, 0.3333, 0.25]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert hardware.gpu_share(4) == 0
