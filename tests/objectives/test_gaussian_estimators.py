"""Estimators for Gaussian codes against closed forms: E[a z² + b z] = a (mean² + std²) + b mean."""

from functools import partial

import pytest
import torch
from objectives.expectations import (
    LOG_STD,
    MEAN,
    REINFORCE,
    WEIGHTS,
    K,
    assert_unbiased,
    curved,
    gradients,
    noise,
    quadratic,
    reinforce,
    target,
)
from torch import Generator

from vae_cli.models.distributions import Delta, Normal
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.objectives.estimators.pathwise import Pathwise

pytestmark = pytest.mark.usefixtures("float64")


GAUSSIAN = {"pathwise": (Pathwise, 1)} | {
    name: (partial(reinforce, baseline), samples) for name, (baseline, samples) in REINFORCE.items()
}


@pytest.mark.parametrize(("make", "samples"), GAUSSIAN.values(), ids=GAUSSIAN)
def test_pathwise_and_reinforce_are_unbiased_for_gaussian_codes(make, samples):
    estimator = make()
    gradients(estimator, Normal, (MEAN, LOG_STD), quadratic, noise(GaussianLatent, samples, 500))
    found = gradients(estimator, Normal, (MEAN, LOG_STD), quadratic, noise(GaussianLatent, samples, seed=1))
    (a, b), variance = WEIGHTS, (2 * LOG_STD).exp()
    second = MEAN.square() + variance
    exact = (
        (a * second + b * MEAN).sum(),
        2 * a * MEAN + b,
        2 * a * variance,
        torch.stack([second, MEAN]),
    )
    for estimate, expected in zip(found, exact, strict=True):
        assert_unbiased(estimate, expected)


def test_pathwise_through_a_delta_is_f_itself():
    value = torch.randn(3, K, generator=Generator().manual_seed(0)).requires_grad_()
    estimate = Pathwise()(target(Delta(value), lambda z: curved(z, WEIGHTS)), torch.zeros(2, 3, K), {})
    torch.testing.assert_close(estimate.value, curved(value, WEIGHTS).detach())
    (gradient,) = torch.autograd.grad(estimate.surrogate.sum(), value)
    torch.testing.assert_close(gradient, *torch.autograd.grad(curved(value, WEIGHTS).sum(), value))
