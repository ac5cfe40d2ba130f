"""Estimators against exact expectations: 2^K enumerated codes, or closed forms for Gaussian ones.

One batch row is one independent estimate: q and the parameters of f are repeated over B = N rows, so that a
single backward pass gives N independent gradients. All z thresholds are 4, all seeds are fixed.
"""

import itertools
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Generator, Tensor, nn

from vae_cli.models.distributions import Bernoulli, Delta, Normal
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.objectives.estimators.pathwise import Pathwise
from vae_cli.objectives.estimators.relaxation import Concrete
from vae_cli.objectives.estimators.score_function import Reinforce
from vae_cli.objectives.estimators.straight_through import StraightThrough

pytestmark = pytest.mark.usefixtures("float64")

K, N = 4, 50_000
CODES = torch.tensor(list(itertools.product([0.0, 1.0], repeat=K)), dtype=torch.float64)  # [2^K, K]
LOGITS = torch.tensor([-1.5, -0.2, 0.4, 1.1], dtype=torch.float64)
MEAN, LOG_STD = LOGITS, torch.tensor([-0.5, 0.3, 0.0, -1.0], dtype=torch.float64)
WEIGHTS = torch.tensor([[0.9, -1.2, 0.5, 0.3], [0.4, 0.7, -0.8, 1.0]], dtype=torch.float64)
Function = Callable[[Tensor, Tensor], Tensor]  # (codes [..., K], weights [..., 2, K]) → [...]


def curved(z: Tensor, weights: Tensor) -> Tensor:
    """No symmetry, no separate units, and not linear in any of them."""
    first, second = (z.unsqueeze(-2) * weights).sum(-1).unbind(-1)
    return 2 * first.tanh() + second.square() + 1


def linear(z: Tensor, weights: Tensor) -> Tensor:
    return (z * weights[..., 0, :]).sum(-1)


def multilinear(z: Tensor, weights: Tensor) -> Tensor:
    """Linear in each unit given the others."""
    return (1 + z * weights[..., 0, :]).prod(-1)


def squares(z: Tensor, weights: Tensor) -> Tensor:
    return (z.square() * weights[..., 0, :]).sum(-1)


def quadratic(z: Tensor, weights: Tensor) -> Tensor:
    return (z.square() * weights[..., 0, :] + z * weights[..., 1, :]).sum(-1)


def noise(latent: type, samples: int, rows: int = N, seed: int = 0) -> Tensor:
    return latent(K).noise((samples, rows), Generator().manual_seed(seed), torch.zeros(()))


def assert_unbiased(estimates: Tensor, exact: Tensor) -> None:
    """The mean over the rows of estimates [N, ...] is `exact` [...]: z ≤ 4 for each number."""
    off = (estimates.mean(0) - exact).abs()
    assert (off <= 4 * estimates.std(0) / math.sqrt(len(estimates)) + 1e-12).all(), off


def gradients(estimator: nn.Module, family: type, parameters: tuple[Tensor, ...], f: Function, draws: Tensor):
    """Value [N], and the surrogate's gradients in q's parameters and in f's weights, each [N, ...]."""
    rows = [p.expand(draws.shape[1], *p.shape).clone().requires_grad_() for p in (*parameters, WEIGHTS)]
    estimate = estimator(family(*rows[:-1]), lambda z: f(z, rows[-1]), draws, {"temperature": 0.5})
    assert estimate.surrogate.shape == estimate.value.shape == (draws.shape[1],)
    assert not estimate.value.requires_grad
    if not isinstance(estimator, Concrete):
        torch.testing.assert_close(estimate.surrogate.detach(), estimate.value)
    return estimate.value, *torch.autograd.grad(estimate.surrogate.sum(), rows)


def enumerated(f: Function) -> tuple[Tensor, Tensor, Tensor]:
    """E_q[f] of Bernoulli codes and its gradients in the logits and in f's weights."""
    logits, weights = LOGITS.clone().requires_grad_(), WEIGHTS.clone().requires_grad_()
    expectation = (Bernoulli(logits).log_prob(CODES).sum(-1).exp() * f(CODES, weights)).sum()
    return expectation.detach(), *torch.autograd.grad(expectation, (logits, weights))


def reinforce(baseline: str) -> Reinforce:
    return Reinforce(baseline, decay=0.9)


REINFORCE = {
    "moving_average, one sample": ("moving_average", 1),
    "moving_average, three samples": ("moving_average", 3),
    "leave_one_out, two samples": ("leave_one_out", 2),
    "leave_one_out, five samples": ("leave_one_out", 5),
}


# Binary codes.


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
    surrogate = Concrete(1.0)(
        Bernoulli(logits), lambda z: f(z).squeeze(-1), quantiles[:, None, None], {"temperature": temperature}
    ).surrogate
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


# Gaussian codes: E[a z² + b z] = a (mean² + std²) + b mean.


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
    estimate = Pathwise()(Delta(value), lambda z: curved(z, WEIGHTS), torch.zeros(2, 3, K), {})
    torch.testing.assert_close(estimate.value, curved(value, WEIGHTS).detach())
    (gradient,) = torch.autograd.grad(estimate.surrogate.sum(), value)
    torch.testing.assert_close(gradient, *torch.autograd.grad(curved(value, WEIGHTS).sum(), value))


# Baselines.


def shifted(z: Tensor, weights: Tensor) -> Tensor:
    """Far from zero, as a log-likelihood is."""
    return curved(z, weights) - 100


def test_the_moving_average_is_the_decayed_mean_of_earlier_batches():
    """Σ decay^age mean / Σ decay^age, without this batch and with no pull towards the zero of the buffers:
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
    """Against none, which is what a moving average is at its very first batch: here by more than a hundred times."""
    estimator, draws = reinforce(baseline), noise(BernoulliLatent, samples)
    without = gradients(reinforce("moving_average"), Bernoulli, (LOGITS,), shifted, draws)[1].var(0).sum()
    gradients(estimator, Bernoulli, (LOGITS,), shifted, noise(BernoulliLatent, samples, seed=1))
    assert gradients(estimator, Bernoulli, (LOGITS,), shifted, draws)[1].var(0).sum() < without / 100


def test_leave_one_out_needs_two_samples_and_a_delta_has_no_score():
    with pytest.raises(AssertionError, match="two samples"):
        gradients(reinforce("leave_one_out"), Bernoulli, (LOGITS,), curved, noise(BernoulliLatent, 1, 5))
    with pytest.raises(TypeError, match="no density"):
        gradients(reinforce("moving_average"), Delta, (LOGITS,), curved, noise(GaussianLatent, 2, 5))
