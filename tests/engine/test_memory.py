"""The estimate of how many runs fit into memory."""

import pytest
from engine.steps import new_state

from vae_cli.engine import memory
from vae_cli.engine.memory import members_that_fit


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
