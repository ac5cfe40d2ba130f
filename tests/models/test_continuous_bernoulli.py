"""The continuous Bernoulli where a naive formula loses its constant, mean, gradient or quantile: near logits 0."""

import math

import numpy as np
import pytest
import torch
from models.tables import close

from vae_cli.models.continuous_bernoulli import ContinuousBernoulli

pytestmark = pytest.mark.usefixtures("float64")

PROBABILITY = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
NEAR_HALF = [sign * size for size in (1e-6, 1e-3, 0.49, 0.5, 0.51, 0.7) for sign in (-1, 1)]
NODES, WEIGHTS = (torch.from_numpy(a) / 2 for a in np.polynomial.legendre.leggauss(64))  # Gauss–Legendre
NODES = NODES + 0.5  # on [0, 1]
GREY = torch.linspace(0, 1, 50, dtype=torch.float64).flip(0)


@pytest.mark.parametrize("logit", [0.0, *NEAR_HALF, -30.0, -5.0, 5.0, 30.0])
def test_continuous_bernoulli_integrates_to_one_and_its_score_is_value_minus_mean(logit):
    """By 64-point Gauss–Legendre quadrature, exact here to rounding; the series leave 1e-10 at |logit| = ½."""
    logits = torch.full_like(NODES, logit, requires_grad=True)
    density = ContinuousBernoulli(logits)
    log_prob = density.log_prob(NODES)
    mass = WEIGHTS * log_prob.detach().exp()
    close(mass.sum(), 1.0, 1e-11)
    mean = (mass * NODES).sum()
    close(density.mean[0], mean, 1e-10)
    (gradient,) = torch.autograd.grad(log_prob.sum(), logits)
    close(gradient, NODES - mean, 1e-10)


@pytest.mark.parametrize("logit", [0.0, *NEAR_HALF])
def test_continuous_bernoulli_near_half_loses_nothing_in_float32(logit):
    """Value, mean and gradient are within ten roundings of the float64 ones: no difference cancels."""
    found = []
    for dtype in (torch.float32, torch.float64):
        logits = torch.full_like(NODES, logit, dtype=dtype, requires_grad=True)
        density = ContinuousBernoulli(logits)
        log_prob = density.log_prob(NODES.to(dtype))
        found.append((log_prob, density.mean, *torch.autograd.grad(log_prob.sum(), logits)))
    for single, double in zip(*found, strict=True):
        torch.testing.assert_close(single, double.float(), rtol=0, atol=10 * 2**-24)


def test_continuous_bernoulli_at_logits_zero_is_uniform():
    zero = ContinuousBernoulli(torch.zeros(50))
    close(zero.log_prob(GREY), 0.0, 0)
    close(zero.mean, 0.5, 0)


@pytest.mark.parametrize("logit", [0.0, 1e-8, 1e-4, 0.999e-3, 1.001e-3, 0.01, 0.5, 1.0, 5.0, 16.0, 40.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_continuous_bernoulli_quantile_inverts_the_closed_distribution_function(logit, sign):
    """(exp(logits · v) − 1) / (exp(logits) − 1); the parabola near 0 leaves at most 0.0161 logits²."""
    logit *= sign
    value = ContinuousBernoulli(torch.tensor(logit)).quantile(PROBABILITY)
    assert ((value > 0) & (value < 1)).all() and (value.diff() > 0).all()
    # divided by exp(logits) where that is large
    far = math.exp(-max(logit, 0.0))
    found = value if logit == 0 else far * torch.expm1(logit * value) / (far * math.expm1(logit))
    close(found, PROBABILITY, 1e-11 + (0.0161 * logit**2 if abs(logit) < 1e-3 else 0.0))


@pytest.mark.parametrize("logit", [-1.0, -0.1, -0.002, -0.0005, 0.0, 0.0005, 0.002, 0.1, 1.0])
def test_continuous_bernoulli_quantile_loses_nothing_in_float32(logit):
    """Within four roundings of 1 of the float64 one, on both sides of the parabola's edge."""
    single, double = (
        ContinuousBernoulli(torch.tensor(logit, dtype=dtype)).quantile(PROBABILITY.float().to(dtype))
        for dtype in (torch.float32, torch.float64)
    )
    torch.testing.assert_close(single.double(), double, rtol=0, atol=4 * 2**-24)
