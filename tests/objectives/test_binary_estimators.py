"""Estimators for bits against exact expectations over 2^K enumerated codes: bias, and where there is none."""

import math
from collections.abc import Callable

import pytest
import torch
from objectives.expectations import (
    LOGITS,
    REINFORCE,
    K,
    N,
    assert_unbiased,
    curved,
    enumerated,
    gradients,
    linear,
    multilinear,
    noise,
    reinforce,
    squares,
    target,
)
from torch import Tensor

from vae_cli.models.distributions import Bernoulli
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.objectives.estimators.relaxation import Concrete
from vae_cli.objectives.estimators.straight_through import StraightThrough

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize(("baseline", "samples"), REINFORCE.values(), ids=REINFORCE)
def test_reinforce_is_unbiased_for_binary_codes(baseline, samples):
    estimator = reinforce(baseline)
    earlier = noise(BernoulliLatent, samples, 500)  # so that a moving average has something to remember
    gradients(estimator, Bernoulli, (LOGITS,), curved, earlier)
    draws = noise(BernoulliLatent, samples, seed=1)
    for estimate, exact in zip(
        gradients(estimator, Bernoulli, (LOGITS,), curved, draws), enumerated(curved), strict=True
    ):
        assert_unbiased(estimate, exact)


@pytest.mark.parametrize(
    "estimator", [StraightThrough(), Concrete(1.0)], ids=["straight_through", "concrete"]
)
def test_the_reported_value_is_unbiased_whatever_the_gradient_is(estimator):
    """The decoder's own gradient is unbiased too for straight-through, which decodes hard samples."""
    value, _, weights = gradients(estimator, Bernoulli, (LOGITS,), curved, noise(BernoulliLatent, 2))
    expectation, _, exact = enumerated(curved)
    assert_unbiased(value, expectation)
    if isinstance(estimator, StraightThrough):
        assert_unbiased(weights, exact)


def test_straight_through_is_exact_for_linear_f():
    """a p (1 − p) from every single sample: no bias and no variance."""
    _, logits, _ = gradients(StraightThrough(), Bernoulli, (LOGITS,), linear, noise(BernoulliLatent, 1, 100))
    torch.testing.assert_close(logits, enumerated(linear)[1].expand(100, K))


def test_straight_through_is_unbiased_for_multilinear_f():
    """∂f/∂z_k is then f(z_k = 1) − f(z_k = 0), as the exact gradient has it."""
    _, logits, _ = gradients(StraightThrough(), Bernoulli, (LOGITS,), multilinear, noise(BernoulliLatent, 1))
    assert_unbiased(logits, enumerated(multilinear)[1])


def test_straight_through_has_its_theoretical_bias_for_squares():
    """z² = z for bits, but ∂z² = 2z: the expectation is 2p · a p (1 − p), the bias (2p − 1) a p (1 − p)."""
    _, logits, _ = gradients(StraightThrough(), Bernoulli, (LOGITS,), squares, noise(BernoulliLatent, 1))
    exact, p = enumerated(squares)[1], LOGITS.sigmoid()
    assert_unbiased(logits, exact * 2 * p)
    measured = (logits.mean(0) - exact).abs()
    assert (measured > 4 * logits.std(0) / math.sqrt(N)).all()


def relaxed_expectation(
    f: Callable[[Tensor], Tensor], logit: float, temperature: float
) -> tuple[float, float]:
    """Concrete's expected surrogate for one unit and its gradient, over 400,000 quantiles of the noise."""
    quantiles = ((torch.arange(400_000) + 0.5) / 400_000).logit()
    logits = torch.tensor([[logit]], requires_grad=True)
    of_bit = target(Bernoulli(logits), lambda z: f(z).squeeze(-1))
    surrogate = Concrete(1.0)(of_bit, quantiles[:, None, None], {"temperature": temperature}).surrogate
    (gradient,) = torch.autograd.grad(surrogate.sum(), logits)
    return surrogate.item(), gradient.item()


@pytest.mark.parametrize("logit", [-1.0, 0.5, 2.0])
def test_concretes_bias_falls_with_the_temperature_as_theory_says(logit):
    """For f = z², E[f(relaxed)] = p − T p(1 − p) + O(T²), since ∫ (σ(v)² − 1[v > 0]) dv = −1 and the noise has
    density p(1 − p) where logits + noise = 0; so the gradient's bias is −T p(1 − p)(1 − 2p) + O(T²)."""
    p = 1 / (1 + math.exp(-logit))
    slope = p * (1 - p)
    temperatures = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.005)
    found = [relaxed_expectation(torch.square, logit, t) for t in temperatures]
    value_bias = [value - p for value, _ in found]
    gradient_bias = [gradient - slope for _, gradient in found]
    for bias in (value_bias, gradient_bias):
        sizes = [abs(b) for b in bias]
        assert sizes == sorted(sizes, reverse=True)
    assert value_bias[-1] / temperatures[-1] == pytest.approx(-slope, rel=0.02)
    assert gradient_bias[-1] / temperatures[-1] == pytest.approx(-slope * (1 - 2 * p), rel=0.02)


def test_concretes_bias_for_linear_f_is_of_second_order():
    """By symmetry the first order vanishes: a quarter of the bias at half the temperature."""
    p = 1 / (1 + math.exp(-1.0))
    coarse, fine = (relaxed_expectation(lambda z: z, 1.0, t)[1] - p * (1 - p) for t in (0.1, 0.05))
    assert coarse / fine == pytest.approx(4, rel=0.05)
