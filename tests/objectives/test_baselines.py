"""The baselines of REINFORCE."""

import pytest
import torch
from objectives.expectations import LOGITS, REINFORCE, curved, gradients, noise, reinforce
from torch import Tensor

from vae_cli.models.distributions import Bernoulli, Delta
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.gaussian import GaussianLatent

pytestmark = pytest.mark.usefixtures("float64")


def shifted(z: Tensor, weights: Tensor) -> Tensor:
    """Far from zero, as a log-likelihood is."""
    return curved(z, weights) - 100


def test_the_moving_average_is_the_decayed_mean_of_earlier_batches():
    """Σ decay^age mean / Σ decay^age, without this batch and without a bias towards the initial zeros of the buffers:
    the gradient is (f(z) − that) (z − p), exactly."""
    estimator, means = reinforce("moving_average"), []
    for step in range(5):
        draws = noise(BernoulliLatent, 1, 10, seed=step)
        value, gradient, _ = gradients(estimator, Bernoulli, (LOGITS,), shifted, draws)
        decayed = [0.9**age for age in range(step - 1, -1, -1)]
        baseline = sum(d * m for d, m in zip(decayed, means, strict=True)) / sum(decayed) if means else 0.0
        score = Bernoulli(LOGITS).sample(draws[0]) - LOGITS.sigmoid()
        torch.testing.assert_close(gradient, (value - baseline)[:, None] * score)
        means.append(value.mean())


def test_the_moving_average_survives_a_checkpoint():
    first, second = reinforce("moving_average"), reinforce("moving_average")
    gradients(first, Bernoulli, (LOGITS,), shifted, noise(BernoulliLatent, 1, 100))
    state = first.state_dict()
    assert set(state) == {"total", "weight"}
    assert state["total"] < 0 < state["weight"]
    second.load_state_dict(state)
    draws = noise(BernoulliLatent, 1, 100, seed=1)
    here, there = (gradients(e, Bernoulli, (LOGITS,), shifted, draws)[1] for e in (first, second))
    assert torch.equal(here, there)
    assert not torch.equal(
        here, gradients(reinforce("moving_average"), Bernoulli, (LOGITS,), shifted, draws)[1]
    )


@pytest.mark.parametrize(("baseline", "samples"), REINFORCE.values(), ids=REINFORCE)
def test_a_baseline_reduces_the_variance_on_a_shifted_f(baseline, samples):
    """By more than a hundred times against no baseline, which is what a moving average is at its first batch."""
    estimator, draws = reinforce(baseline), noise(BernoulliLatent, samples)
    without = gradients(reinforce("moving_average"), Bernoulli, (LOGITS,), shifted, draws)[1].var(0).sum()
    gradients(estimator, Bernoulli, (LOGITS,), shifted, noise(BernoulliLatent, samples, seed=1))
    assert gradients(estimator, Bernoulli, (LOGITS,), shifted, draws)[1].var(0).sum() < without / 100


def test_leave_one_out_needs_two_samples_and_a_delta_has_no_score():
    with pytest.raises(AssertionError, match="two samples"):
        gradients(reinforce("leave_one_out"), Bernoulli, (LOGITS,), curved, noise(BernoulliLatent, 1, 5))
    with pytest.raises(TypeError, match="no density"):
        gradients(reinforce("moving_average"), Delta, (LOGITS,), curved, noise(GaussianLatent, 2, 5))
