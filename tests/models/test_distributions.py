"""Distributions against their oracle, torch.distributions, and where that gives up: near ½ and far out."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch import distributions as oracle

from vae_cli.models.continuous_bernoulli import ContinuousBernoulli
from vae_cli.models.distributions import Bernoulli, Delta, Normal

pytestmark = pytest.mark.usefixtures("float64")

LOGITS = torch.linspace(
    -12, 12, 50, dtype=torch.float64
)  # an even number of them, so that 0 is not among them
MEAN, LOG_STD = torch.linspace(-3, 3, 50, dtype=torch.float64), torch.linspace(2, -2, 50, dtype=torch.float64)
NEAR_HALF = [sign * size for size in (1e-6, 1e-3, 0.49, 0.5, 0.51, 0.7) for sign in (-1, 1)]
NODES, WEIGHTS = (torch.from_numpy(a) / 2 for a in np.polynomial.legendre.leggauss(64))  # Gauss–Legendre
NODES = NODES + 0.5  # on [0, 1]

GREY = torch.linspace(0, 1, 50, dtype=torch.float64).flip(0)
DENSITIES = {
    "normal": (Normal(MEAN, LOG_STD), oracle.Normal(MEAN, LOG_STD.exp()), 5 * GREY - 2),
    "unit_normal": (Normal(MEAN, MEAN.new_zeros(())), oracle.Normal(MEAN, 1.0), 5 * GREY - 2),
    "bernoulli": (Bernoulli(LOGITS), oracle.Bernoulli(logits=LOGITS), GREY.round()),
    "cross_entropy": (Bernoulli(LOGITS), oracle.Bernoulli(logits=LOGITS, validate_args=False), GREY),
    "continuous_bernoulli": (ContinuousBernoulli(LOGITS), oracle.ContinuousBernoulli(logits=LOGITS), GREY),
}


def close(actual: Tensor, expected: Tensor | float, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(
        actual,
        torch.as_tensor(expected, dtype=actual.dtype).expand_as(actual),
        rtol=tolerance,
        atol=tolerance,
    )


def logistic(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)).logit()


@pytest.mark.parametrize("name", DENSITIES)
def test_log_prob_and_mean_are_the_oracles(name):
    ours, theirs, value = DENSITIES[name]
    close(ours.log_prob(value), theirs.log_prob(value), 1e-10)
    close(ours.mean, theirs.mean, 1e-10)


@pytest.mark.parametrize("name", ["normal", "bernoulli"])
def test_mode_is_the_oracles(name):
    ours, theirs, _ = DENSITIES[name]
    close(ours.mode, theirs.mode, 0)


NORMAL, BERNOULLI = (Normal(MEAN, LOG_STD), oracle.Normal(MEAN, LOG_STD.exp())), DENSITIES["bernoulli"][:2]
DIVERGENCES = {
    "normal_standard": (*NORMAL, Normal(0 * MEAN, 0 * MEAN), oracle.Normal(0 * MEAN, 1.0)),
    "normal": (*NORMAL, Normal(MEAN + 1, MEAN), oracle.Normal(MEAN + 1, MEAN.exp())),
    "bernoulli_half": (*BERNOULLI, Bernoulli(0 * LOGITS), oracle.Bernoulli(logits=0 * LOGITS)),
    "bernoulli": (*BERNOULLI, Bernoulli(LOGITS.flip(0)), oracle.Bernoulli(logits=LOGITS.flip(0))),
}


@pytest.mark.parametrize("name", DIVERGENCES)
def test_kl_is_the_oracles_and_nothing_between_equals(name):
    ours, theirs, prior, their_prior = DIVERGENCES[name]
    close(ours.kl(prior), oracle.kl_divergence(theirs, their_prior))
    close(ours.kl(ours), 0.0, 1e-14)


def test_normal_sample_moves_the_noise_to_its_quantile():
    noise = torch.linspace(-3, 3, 50)
    theirs = oracle.Normal(MEAN, LOG_STD.exp())
    close(Normal(MEAN, LOG_STD).sample(noise), theirs.icdf(oracle.Normal(0.0, 1.0).cdf(noise)), 1e-9)


def test_a_delta_is_its_value():
    value = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    delta = Delta(value)
    assert delta.mode is value and delta.mean is value
    close(delta.sample(torch.ones(5, 3, 2)), value.expand(5, 3, 2), 0)


# Continuous Bernoulli: its constant, mean and gradient where a naive formula loses them.


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
    """Value, mean and gradient within ten roundings of the float64 ones: differences that cancel are not taken."""
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


# Far out, in float32: nothing is clamped, nothing overflows, no gradient dies.


@pytest.mark.parametrize("logit", [-200.0, -50.0, 50.0, 200.0])
@pytest.mark.parametrize("family", [Bernoulli, ContinuousBernoulli])
def test_extreme_logits_keep_value_and_gradient(family, logit):
    """Both are exponential families in their logits: ∇ log p(value) = value − mean."""
    value = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float32)
    logits = torch.full_like(value, logit, requires_grad=True)
    log_prob = family(logits).log_prob(value)
    far = family(logits.detach().double()).log_prob(value.double())
    constant = math.log(abs(logit)) if family is ContinuousBernoulli else 0.0
    close(far, (value.double() - float(logit > 0)) * logit + constant, 1e-12)
    close(log_prob, far.float(), 1e-5)
    (gradient,) = torch.autograd.grad(log_prob.sum(), logits)
    mean = float(logit > 0) - (1 / logit if family is ContinuousBernoulli else 0.0)
    close(gradient, value - mean, 1e-6)


@pytest.mark.parametrize("logit", [-200.0, -50.0, 50.0, 200.0])
@pytest.mark.parametrize(("prior", "expected"), [(0.0, math.log(2)), (-50.0, None), (200.0, None)])
def test_extreme_bernoulli_kl(logit, prior, expected):
    """A unit that is certain pays log 2 against Ber(½), and |prior logit| against a prior certain of the other."""
    logits = torch.tensor([logit], dtype=torch.float32, requires_grad=True)
    kl = Bernoulli(logits).kl(Bernoulli(torch.tensor([prior], dtype=torch.float32)))
    if expected is None:
        expected = abs(prior) if logit * prior < 0 else 0.0
    close(kl, expected, 1e-6)
    close(*torch.autograd.grad(kl, logits), 0.0, 1e-6)


@pytest.mark.parametrize("mean", [-200.0, 200.0])
@pytest.mark.parametrize("log_std", [-15.0, 15.0])
def test_extreme_normal_density_and_kl(mean, log_std):
    """The closed forms and their gradients in float32, at stds from 3e-7 to 3e6."""
    parameters = torch.tensor([mean, log_std], dtype=torch.float32, requires_grad=True)
    q, std = Normal(*parameters), math.exp(log_std)
    kl = q.kl(Normal(torch.tensor(0.0), torch.tensor(0.0)))
    close(kl, (std**2 + mean**2 - 1) / 2 - log_std, 1e-5)
    close(*torch.autograd.grad(kl, parameters), torch.tensor([mean, std**2 - 1]), 1e-5)
    log_prob = q.log_prob(torch.tensor(0.0))
    square = (mean / std) ** 2
    close(log_prob, -square / 2 - log_std - math.log(2 * math.pi) / 2, 1e-5)
    expected = torch.tensor([-mean / std**2, square - 1])
    close(*torch.autograd.grad(log_prob, parameters), expected, 1e-5)


# Binary samples from logistic noise.


def test_hard_sample_is_one_with_probability_sigmoid_logits():
    """z ≤ 4 at each logit, for the noise and for its antithetic; one pair is (1, 1) with P = max(0, 2p − 1)."""
    logits = torch.tensor([-4.0, -1.0, -0.1, 0.0, 0.7, 3.0])
    n, noise = 200_000, logistic(200_000, 6)
    first, second = Bernoulli(logits).sample(noise), Bernoulli(logits).sample(-noise)
    p = logits.sigmoid()
    both = (2 * p - 1).clamp(min=0)
    for frequency, expected in ((first, p), (second, p), (first * second, both)):
        off = (frequency.mean(0) - expected).abs()
        assert (off <= 4 * (expected * (1 - expected) / n).sqrt()).all()


def test_antithetic_samples_mirror_each_other():
    logits, noise = LOGITS, logistic(100, 50)
    close(Bernoulli(logits).sample(-noise), 1 - Bernoulli(-logits).sample(noise), 0)
    close(Bernoulli(logits).relaxed_sample(-noise, 0.7), 1 - Bernoulli(-logits).relaxed_sample(noise, 0.7))


def test_relaxed_sample_tends_to_the_hard_one():
    """|relaxed − hard| = sigmoid(−|logits + noise| / temperature), hence → 0; above ½ exactly where hard is 1."""
    q, noise = Bernoulli(LOGITS), logistic(400, 50)
    hard, distances = q.sample(noise), []
    for temperature in (2.0, 1.0, 0.5, 0.1, 0.01, 1e-4):
        relaxed = q.relaxed_sample(noise, temperature)
        close((relaxed - hard).abs(), (-(LOGITS + noise).abs() / temperature).sigmoid())
        close((relaxed > 0.5).double(), hard, 0)
        distances.append(float((relaxed - hard).abs().mean()))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-4


def test_relaxed_sample_has_the_oracles_density():
    """log p(relaxed) = log p(noise) − log |∂ relaxed / ∂ noise|, the latter relaxed (1 − relaxed) / temperature."""
    logits, noise, temperature = torch.linspace(-2, 2, 50), logistic(20, 50), torch.tensor(0.7)
    relaxed = Bernoulli(logits).relaxed_sample(noise, temperature)
    log_density = -noise - 2 * torch.nn.functional.softplus(-noise)  # the logistic's
    expected = log_density - (relaxed * (1 - relaxed) / temperature).log()
    close(oracle.RelaxedBernoulli(temperature, logits=logits).log_prob(relaxed), expected, 1e-9)


@pytest.mark.parametrize("logit", [-50.0, 50.0])
def test_relaxed_gradient_is_alive_where_a_clamped_probability_would_kill_it(logit):
    logits = torch.tensor(logit, dtype=torch.float32, requires_grad=True)
    relaxed = Bernoulli(logits).relaxed_sample(torch.tensor(-logit, dtype=torch.float32), 0.5)
    close(*torch.autograd.grad(relaxed, logits), 0.25 / 0.5, 1e-6)


# Each value under each distribution.


def pairwise_examples() -> dict[str, tuple[Normal | Bernoulli | ContinuousBernoulli, Tensor]]:
    """Seven distributions and five values over three elements."""
    generator = torch.Generator().manual_seed(0)
    h, value = torch.randn(2, 7, 3, generator=generator), torch.rand(5, 3, generator=generator)
    return {
        "normal": (Normal(*h), 4 * value - 2),
        "unit_normal": (Normal(h[0], torch.zeros(())), 4 * value - 2),
        "bernoulli": (Bernoulli(4 * h[0]), value.round()),
        "cross_entropy": (Bernoulli(4 * h[0]), value),
        "continuous_bernoulli": (ContinuousBernoulli(4 * h[0]), value),
    }


@pytest.mark.parametrize("name", pairwise_examples())
def test_pairwise_log_prob_is_log_prob_of_each_value_under_each_distribution(name):
    q, values = pairwise_examples()[name]
    found = q.pairwise_log_prob(values)
    assert found.shape == (5, 7)
    close(found, q.log_prob(values[:, None]).sum(-1), 1e-12)


def test_pairwise_log_prob_of_narrow_normals_loses_nothing_in_float32():
    """std 1e-3, means within ± 3: squares of 1e7 cancel to less than 10; within two roundings of float64."""
    generator = torch.Generator().manual_seed(0)
    mean = (6 * torch.rand(50, 4, generator=generator) - 3).float()
    q = Normal(mean, torch.full_like(mean, math.log(1e-3)))
    values = q.sample(torch.randn(50, 4, generator=generator).float())
    found = q.pairwise_log_prob(values)
    assert found.dtype == torch.float32
    double = Normal(*(t.double() for t in q)).log_prob(values.double()[:, None]).sum(-1)
    torch.testing.assert_close(found.double(), double, rtol=2**-23, atol=0)


# Quantiles: the inverse of the distribution function.

PROBABILITY = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)


def test_normal_quantile_is_the_oracles():
    probability = PROBABILITY[:, None]
    close(Normal(MEAN, LOG_STD).quantile(probability), NORMAL[1].icdf(probability), 1e-9)


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


@pytest.mark.parametrize("family", [Bernoulli, ContinuousBernoulli])
def test_quantiles_mirror_each_other(family):
    """value ↔ 1 − value is logits ↔ −logits and probability ↔ 1 − probability."""
    probability = PROBABILITY[:, None]
    close(family(LOGITS).quantile(probability), 1 - family(-LOGITS).quantile(1 - probability), 1e-12)


def test_bernoulli_quantile_is_one_above_the_probability_of_zero():
    """At each probability, and so with frequency sigmoid(logits) over 200,000 uniform ones: z ≤ 4."""
    close(Bernoulli(LOGITS).quantile(PROBABILITY[:, None]), PROBABILITY[:, None] > (-LOGITS).sigmoid(), 0)
    logits, n = torch.tensor([-4.0, -1.0, 0.0, 0.7, 3.0]), 200_000
    uniform = torch.rand(n, 5, generator=torch.Generator().manual_seed(1))
    p = logits.sigmoid()
    off = (Bernoulli(logits).quantile(uniform).mean(0) - p).abs()
    assert (off <= 4 * (p * (1 - p) / n).sqrt()).all()


@pytest.mark.parametrize("logit", [-1e30, -200.0, -40.0, -1e-3, 0.0, 1e-3, 40.0, 200.0, 1e30])
@pytest.mark.parametrize("family", [Bernoulli, ContinuousBernoulli])
def test_quantiles_stay_in_the_unit_interval_at_extreme_logits(family, logit):
    """In float32, at probabilities from 1e-6 to 1 − 1e-6."""
    probability = torch.tensor([1e-6, 1e-3, 0.5, 0.999, 1 - 1e-6], dtype=torch.float32)
    value = family(torch.tensor(logit, dtype=torch.float32)).quantile(probability)
    assert value.dtype == torch.float32
    assert ((value >= 0) & (value <= 1)).all() and (value.diff() >= 0).all()
    if abs(logit) == 1e30:
        close(value, float(logit > 0), 1e-20)


@pytest.mark.parametrize("logit", [-1.0, -0.1, -0.002, -0.0005, 0.0, 0.0005, 0.002, 0.1, 1.0])
def test_continuous_bernoulli_quantile_loses_nothing_in_float32(logit):
    """Within four roundings of 1 of the float64 one, on both sides of the parabola's edge."""
    single, double = (
        ContinuousBernoulli(torch.tensor(logit, dtype=dtype)).quantile(PROBABILITY.float().to(dtype))
        for dtype in (torch.float32, torch.float64)
    )
    torch.testing.assert_close(single.double(), double, rtol=0, atol=4 * 2**-24)
