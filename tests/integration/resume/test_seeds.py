"""The seed determines a run."""

import pytest
import torch
from conftest import configured
from integration.resume.interrupted import BASE, VARIANTS
from run_comparison import assert_equal_runs, metrics, saved, summary

from vae_cli.training.run import run


@pytest.mark.parametrize("variant", VARIANTS)
def test_runs_of_one_seed_are_equal(tmp_path, uninterrupted, variant):
    run(configured(*VARIANTS[variant]), tmp_path)
    assert_equal_runs(uninterrupted(*VARIANTS[variant]), tmp_path)


def test_the_global_generator_has_no_effect(tmp_path, uninterrupted):
    torch.manual_seed(123)
    torch.rand(5)
    run(configured(*BASE), tmp_path)
    assert_equal_runs(uninterrupted(*BASE), tmp_path)


def test_another_seed_gives_another_run(uninterrupted):
    """Initialization, order of images and noise. The images have a seed of their own."""
    one, other = uninterrupted(*BASE), uninterrupted(*BASE, "seed=1")
    first, second = (list(saved(folder)["model"].values()) for folder in (one, other))
    assert not all(map(torch.equal, first, second))
    assert metrics(one)[0]["loss"] != metrics(other)[0]["loss"]
    assert summary(one)["data"]["entropy"] == summary(other)["data"]["entropy"]
