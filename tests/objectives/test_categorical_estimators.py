"""Estimators for categories against the exact expectation over all 3³ codes. z ≤ 4, seeds fixed.

One batch row is one independent estimate, as in `test_estimators.py`.
"""

import math

import pytest
import torch
from models.tables import close, seeded
from objectives.expectations import target
from torch import Tensor

from vae_cli.models.categorical import OneHotCategorical
from vae_cli.models.latents.categorical import CategoricalLatent
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.estimators.relaxation import StraightThroughGumbelSoftmax
from vae_cli.objectives.estimators.score_function import Reinforce

pytestmark = pytest.mark.usefixtures("float64")

C, K, N = 3, 3, 50_000
LATENT = CategoricalLatent(K, C)
LOGITS = torch.randn(C, K, generator=seeded(), dtype=torch.float64)
WEIGHTS = torch.randn(2, C * K, generator=seeded(1), dtype=torch.float64)
TEMPERATURE = 0.5


def curved(z: Tensor, weights: Tensor) -> Tensor:
    """No symmetry, and units that interact: codes [..., V], weights [..., 2, V] → [...]."""
    first, second = (z.unsqueeze(-2) * weights).sum(-1).unbind(-1)
    return 2 * first.tanh() + second.square() + 1


def noise(samples: int, rows: int = N, seed: int = 0) -> Tensor:
    return LATENT.noise((samples, rows), seeded(seed), torch.zeros(()))


def estimates(estimator: Estimator, draws: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value [N], and the surrogate's gradients in the logits and in f's weights, [N, ...]."""
    logits, weights = (p.expand(draws.shape[1], *p.shape).clone().requires_grad_() for p in (LOGITS, WEIGHTS))
    schedule = {"temperature": TEMPERATURE}
    of_codes = target(OneHotCategorical(logits), lambda z: curved(z, weights))
    estimate = estimator(of_codes, draws, schedule)
    close(estimate.surrogate.detach(), estimate.value)
    assert not estimate.value.requires_grad
    return estimate.value, *torch.autograd.grad(estimate.surrogate.sum(), (logits, weights))


def enumerated() -> tuple[Tensor, Tensor, Tensor]:
    """E_q[f] and its gradients in the logits and in f's weights."""
    logits, weights = LOGITS.clone().requires_grad_(), WEIGHTS.clone().requires_grad_()
    codes = LATENT.codes(torch.arange(C**K), logits)
    expectation = (OneHotCategorical(logits).log_prob(codes).sum(-1).exp() * curved(codes, weights)).sum()
    return expectation.detach(), *torch.autograd.grad(expectation, (logits, weights))


def assert_unbiased(found: Tensor, exact: Tensor) -> None:
    off = (found.mean(0) - exact).abs()
    assert (off <= 4 * found.std(0) / math.sqrt(len(found)) + 1e-12).all(), off


@pytest.mark.parametrize(("baseline", "samples"), [("moving_average", 1), ("leave_one_out", 3)])
def test_reinforce_is_unbiased_for_categories(baseline, samples):
    estimator = Reinforce(baseline, decay=0.9)
    estimates(estimator, noise(samples, 500))  # so that the moving average is not at its start
    for found, exact in zip(estimates(estimator, noise(samples, seed=1)), enumerated(), strict=True):
        assert_unbiased(found, exact)


def test_the_straight_through_gumbel_softmax_evaluates_hard_samples_and_differentiates_relaxed_ones():
    """Value: f at the hard one-hot sample, unbiased. Gradient: ∂f/∂z there times that of the relaxed sample of the same
    noise."""
    draws = noise(1, 200)
    value, gradient, _ = estimates(StraightThroughGumbelSoftmax(1.0), draws)
    logits = LOGITS.expand(200, C, K).clone().requires_grad_()
    q = OneHotCategorical(logits)
    hard = q.sample(draws[0]).detach().requires_grad_()
    at_hard = curved(hard, WEIGHTS)
    assert torch.equal(value, at_hard.detach())
    (slope,) = torch.autograd.grad(at_hard.sum(), hard)
    relaxed = q.relaxed_sample(draws[0], TEMPERATURE)
    (expected,) = torch.autograd.grad((slope * relaxed).sum(), logits)
    close(gradient, expected)
    assert gradient.abs().sum() > 0


def test_its_value_and_the_decoders_gradient_are_unbiased_and_its_own_gradient_is_not():
    value, logits, weights = estimates(StraightThroughGumbelSoftmax(1.0), noise(2))
    expectation, of_logits, of_weights = enumerated()
    assert_unbiased(value, expectation)
    assert_unbiased(weights, of_weights)
    bias = (logits.mean(0) - of_logits).abs()
    assert (bias > 4 * logits.std(0) / math.sqrt(N)).any()
