"""Laws over all latents and all likelihoods: shapes, the base noise, total mass, and the mean image."""

import math

import pytest
import torch
from torch import Generator, Tensor

from vae_cli.latents import BernoulliLatent, DeterministicLatent, GaussianLatent
from vae_cli.likelihoods import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
    UnitGaussianLikelihood,
)

LATENTS = [GaussianLatent(3), BernoulliLatent(3), DeterministicLatent(3)]
LIKELIHOODS = {
    "bernoulli": BernoulliLikelihood(),
    "continuous_bernoulli": ContinuousBernoulliLikelihood(),
    "unit_gaussian": UnitGaussianLikelihood(),
    "gaussian": GaussianLikelihood(-4.0),
    "gaussian_unbounded": GaussianLikelihood(None),
}
every_latent = pytest.mark.parametrize("latent", LATENTS, ids=lambda latent: type(latent).__name__)
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@every_latent
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_posterior_prior_and_noise_have_the_codes_shape_and_the_images_type(latent, dtype):
    like = torch.zeros((), dtype=dtype)
    h = torch.randn(2, 4, latent.encoder_outputs, generator=seeded()).to(dtype)
    q, prior = latent.posterior(h), latent.prior(like)
    noise = latent.noise((5, 2, 4), seeded(), like)
    for tensor, shape in [
        (q.mean, (2, 4, 3)),
        (q.mode, (2, 4, 3)),
        (prior.mean, (3,)),
        (noise, (5, 2, 4, 3)),
        (q.sample(noise), (5, 2, 4, 3)),
        (q.kl(prior), (2, 4, 3)),
    ]:
        assert tensor.shape == shape
        assert tensor.dtype == dtype
    assert (q.kl(prior) >= 0).all()
    assert torch.equal(noise, latent.noise((5, 2, 4), seeded(), like))
    assert torch.equal(noise, latent.noise((5, 2, 4), seeded(1), like)) == (not latent.has_density)


@every_latent
def test_an_encoder_that_says_nothing_has_the_prior_as_posterior(latent):
    """h = 0 means N(0, 1) or Ber(½), at no cost."""
    h = torch.zeros(1, latent.encoder_outputs)
    q, prior = latent.posterior(h), latent.prior(h)
    assert (q.kl(prior) == 0).all()
    assert torch.equal(q.mean[0], prior.mean)


def test_each_unit_reads_its_own_numbers():
    """A Gaussian's mean is the first half of the encoder's output, its log_std the second."""
    h = torch.arange(6.0)
    q = GaussianLatent(3).posterior(h)
    assert torch.equal(q.mean, h[:3]) and torch.equal(q.log_std, h[3:])
    assert torch.equal(BernoulliLatent(6).posterior(h).logits, h)
    assert torch.equal(DeterministicLatent(6).posterior(h).value, h)


@pytest.mark.parametrize(
    ("latent", "variance", "kurtosis", "cdf"),
    [
        (GaussianLatent(1), 1.0, 3.0, torch.special.ndtr),
        (BernoulliLatent(1), math.pi**2 / 3, 4.2, torch.sigmoid),
    ],
    ids=["normal", "logistic"],
)
def test_noise_has_its_mean_variance_and_distribution_function(latent, variance, kurtosis, cdf, float64):
    """One million draws, z ≤ 4."""
    n = 1_000_000
    noise = latent.noise((n,), seeded(), torch.zeros(()))
    assert abs(noise.mean()) <= 4 * math.sqrt(variance / n)
    assert abs(noise.square().mean() - variance) <= 4 * variance * math.sqrt((kurtosis - 1) / n)
    for point in torch.tensor([-3.0, -1.0, 0.0, 0.5, 2.0]):
        p = cdf(point)
        assert abs((noise <= point).double().mean() - p) <= 4 * math.sqrt(p * (1 - p) / n)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("edge", ["lowest", "highest"])
def test_logistic_noise_is_finite_at_both_ends_of_the_uniforms_grid(monkeypatch, dtype, edge):
    """`torch.rand` answers with 0 about once in 17 million draws of float32, and log 0 is no noise."""
    uniform = 0.0 if edge == "lowest" else torch.tensor(1.0, dtype=dtype).nextafter(torch.tensor(0.0))
    monkeypatch.setattr(torch, "rand", lambda size, **kwargs: torch.full(size, float(uniform), dtype=dtype))
    noise = BernoulliLatent(2).noise((3,), seeded(), torch.zeros((), dtype=dtype))
    assert noise.isfinite().all()
    assert ((noise > 15) if edge == "highest" else (noise < -15)).all()


def test_a_deterministic_code_has_no_noise():
    latent = DeterministicLatent(3)
    assert not latent.noise((2, 4), seeded(), torch.zeros(())).any()
    assert not latent.has_density and GaussianLatent(3).has_density and BernoulliLatent(3).has_density


# Likelihoods.


@every_likelihood
def test_a_likelihood_has_one_number_a_pixel_and_total_mass_one(likelihood, float64):
    """Summed over {0, 1} where it is discrete, integrated over its support where it is a density."""
    h = torch.randn(2, 4, 3 * likelihood.outputs_per_pixel, generator=seeded())
    p = likelihood(h)
    assert p.mean.shape == p.log_prob(torch.rand(4, 3, generator=seeded())).shape == (2, 4, 3)
    if likelihood.is_discrete:
        mass = sum(p.log_prob(torch.tensor(value)).exp() for value in likelihood.support)
    else:
        low, high = likelihood.support or (-200.0, 200.0)
        x = torch.linspace(low, high, 100_001)[:, None, None, None]
        mass = torch.trapezoid(p.log_prob(x).exp(), x, dim=0)
    torch.testing.assert_close(mass, torch.ones(2, 4, 3), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_support_is_where_pixels_may_lie(name):
    assert LIKELIHOODS[name].support == (None if "gaussian" in name else (0.0, 1.0))


MEAN_IMAGE = torch.tensor([0.01, 0.03, 0.2, 0.5, 0.6, 0.9, 0.99], dtype=torch.float64)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_bias_makes_the_decoder_answer_with_the_mean_image(name):
    """Exactly, but for the continuous Bernoulli, whose mean has no closed inverse: within 5 % of either side."""
    likelihood = LIKELIHOODS[name]
    bias = likelihood.bias(MEAN_IMAGE)
    assert bias.shape == (7 * likelihood.outputs_per_pixel,)
    answer = likelihood(bias).mean
    tolerance = 0.05 if name == "continuous_bernoulli" else 1e-12
    torch.testing.assert_close(answer, MEAN_IMAGE, rtol=tolerance, atol=0)
    torch.testing.assert_close(1 - answer, 1 - MEAN_IMAGE, rtol=tolerance, atol=0)


@every_likelihood
def test_bias_stays_finite_for_pixels_that_are_always_black_or_white(likelihood):
    """They are held a little inside (0, 1), where one surprising pixel does not cost everything."""
    p = likelihood(likelihood.bias(torch.tensor([0.0, 1.0])))
    torch.testing.assert_close(p.mean, torch.tensor([0.0, 1.0]), rtol=0, atol=0.011)
    assert p.log_prob(torch.tensor([1.0, 0.0])).isfinite().all()


def log_std_of(likelihood: GaussianLikelihood, h: Tensor) -> Tensor:
    return likelihood(torch.stack([torch.zeros_like(h), h], -1)).log_std[..., 0]


@pytest.mark.parametrize("floor", [-4.0, -1.0, 2.0])
def test_the_gaussians_log_std_stays_above_its_floor_with_a_living_gradient(floor):
    """In float32: log_std ≥ floor whatever the decoder says, ∂ log_std / ∂ h = sigmoid(h − floor) > 0."""
    h = (floor + torch.tensor([-80.0, -20.0, -1.0, 0.0, 1.0, 20.0])).requires_grad_()
    log_std = log_std_of(GaussianLikelihood(floor), h)
    (gradient,) = torch.autograd.grad(log_std.sum(), h)
    assert (log_std >= floor).all()
    assert (gradient > 0).all()
    torch.testing.assert_close(gradient, (h.detach() - floor).sigmoid())
    assert (log_std_of(GaussianLikelihood(floor), torch.tensor([-1e30])) == floor).all()
    torch.testing.assert_close(log_std[-1], h[-1], rtol=0, atol=1e-5)  # far above the floor it is not felt


def test_without_a_floor_log_std_is_what_the_decoder_says():
    h = torch.tensor([-80.0, 0.0, 20.0])
    assert torch.equal(log_std_of(GaussianLikelihood(None), h), h)
