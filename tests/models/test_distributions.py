"""Distributions against their oracle, torch.distributions, and at extreme parameters, where the oracle gives up."""

import math

import pytest
import torch
from models.tables import close
from torch import Tensor
from torch import distributions as oracle

from vae_cli.models.continuous_bernoulli import ContinuousBernoulli
from vae_cli.models.distributions import Bernoulli, Delta, Normal

pytestmark = pytest.mark.usefixtures("float64")

LOGITS = torch.linspace(-12, 12, 50, dtype=torch.float64)  # 0 is not among them
MEAN, LOG_STD = torch.linspace(-3, 3, 50, dtype=torch.float64), torch.linspace(2, -2, 50, dtype=torch.float64)

GREY = torch.linspace(0, 1, 50, dtype=torch.float64).flip(0)
DENSITIES = {
    "normal": (Normal(MEAN, LOG_STD), oracle.Normal(MEAN, LOG_STD.exp()), 5 * GREY - 2),
    "unit_normal": (Normal(MEAN, MEAN.new_zeros(())), oracle.Normal(MEAN, 1.0), 5 * GREY - 2),
    "bernoulli": (Bernoulli(LOGITS), oracle.Bernoulli(logits=LOGITS), GREY.round()),
    "cross_entropy": (Bernoulli(LOGITS), oracle.Bernoulli(logits=LOGITS, validate_args=False), GREY),
    "continuous_bernoulli": (ContinuousBernoulli(LOGITS), oracle.ContinuousBernoulli(logits=LOGITS), GREY),
}


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
def test_kl_is_the_oracles_and_0_between_equals(name):
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


# Extreme parameters in float32: nothing is clamped, nothing overflows, no gradient vanishes.


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
    """For a certain unit it is log 2 against Ber(½), and |prior logit| against a prior that is certain of the other value."""
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
def test_the_relaxed_gradient_does_not_vanish_where_a_clamped_probability_would_make_it_0(logit):
    logits = torch.tensor(logit, dtype=torch.float32, requires_grad=True)
    relaxed = Bernoulli(logits).relaxed_sample(torch.tensor(-logit, dtype=torch.float32), 0.5)
    close(*torch.autograd.grad(relaxed, logits), 0.25 / 0.5, 1e-6)
