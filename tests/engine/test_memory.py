"""The estimates of what runs need and of what is free."""

import pytest
import torch
from engine.steps import new_state

from vae_cli.engine import memory
from vae_cli.engine.memory import CGROUPS, batch_bytes, free_memory, members_that_fit


@pytest.mark.parametrize("latent", ["gaussian", "categorical"])
def test_the_estimate_has_the_order_of_magnitude_of_what_is_allocated(latent):
    """Above the parameters alone, and below a hundred times that for a batch of 8."""
    state = new_state(f"latent={latent}")
    size = sum(parameter.nbytes for parameter in state.experiment.model.parameters())
    fit = members_that_fit(state)
    assert 5 * size < fit.bytes_each < 100 * size
    assert fit.members == int(memory.SHARE * fit.bytes_free / fit.bytes_each)


def test_one_run_always_fits(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda device: 0)
    assert members_that_fit(new_state()).members == 1


def test_the_estimate_leaves_the_buffers_of_the_objective_as_they_are():
    """The moving average of a baseline, for example."""
    state = new_state("latent=bernoulli", "estimator=reinforce")
    before = {name: tensor.clone() for name, tensor in state.experiment.objective.state_dict().items()}
    members_that_fit(state)
    after = state.experiment.objective.state_dict()
    assert before and all((after[name] == tensor).all() for name, tensor in before.items())


@pytest.mark.parametrize(
    "overrides",
    [("latent=gaussian",), ("latent=categorical",), ("latent=bernoulli", "estimator=reinforce"),
     ("network=conv", "network.channels=[4,8]", "network.hidden=12"), ("likelihood=gaussian",)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(("batch_size", "samples"), [(7, 1), (50, 4)])
def test_a_large_batch_is_estimated_from_small_ones(overrides, batch_size, samples):
    """Exactly: twice the difference of what two large batches keep is the difference of their estimates."""
    experiment = new_state(*overrides).experiment
    measured = [memory._kept_for_backward(experiment, samples, size) for size in (batch_size, 2 * batch_size)]
    estimated = [batch_bytes(experiment, size, samples) for size in (batch_size, 2 * batch_size)]
    assert 2 * (measured[1] - measured[0]) == estimated[1] - estimated[0] > 0


def test_no_batch_is_larger_than_the_data():
    experiment = new_state().experiment
    n = len(experiment.data.train.images)
    assert batch_bytes(experiment, n, 1) == batch_bytes(experiment, 10**9, 1)


@pytest.mark.parametrize(("_", "limit", "usage"), CGROUPS)
def test_the_limit_of_a_container_or_job_counts(tmp_path, monkeypatch, _, limit, usage):
    """What caches of files use of it is given back."""
    (tmp_path / limit).write_text("3000\n")
    (tmp_path / usage).write_text("1800\n")
    (tmp_path / "memory.stat").write_text("anon 700\ninactive_file 500\nactive_file 9\n")
    assert list(memory._free_of(tmp_path, limit, usage)) == [1700]
    monkeypatch.setattr(memory, "_free_of_cgroups", lambda: memory._free_of(tmp_path, limit, usage))
    assert free_memory(torch.device("cpu")) == 1700


@pytest.mark.parametrize("limit", ["max\n", None])
def test_a_cgroup_without_a_limit_does_not_count(tmp_path, limit):
    (tmp_path / "memory.current").write_text("1800\n")
    if limit:
        (tmp_path / "memory.max").write_text(limit)
    assert list(memory._free_of(tmp_path, "memory.max", "memory.current")) == []


def test_the_free_memory_is_some_of_the_machine():
    assert 10**6 < free_memory(torch.device("cpu")) < 10**15
    assert 10**6 < memory.free_after_cleaning(torch.device("cpu")) < 10**15


def test_a_system_without_proc_has_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    assert free_memory(torch.device("cpu")) > 10**6
