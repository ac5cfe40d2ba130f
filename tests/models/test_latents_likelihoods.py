"""Laws over all latents and all likelihoods: shapes, the base noise, walks among codes, total mass, the mean image."""

import math

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from vae_cli.models.distributions import Bernoulli, Delta, Normal
from vae_cli.models.latents import BernoulliLatent, DeterministicLatent, GaussianLatent
from vae_cli.models.likelihoods import (
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


# Codes that resemble those of a data set.


@pytest.mark.parametrize("name", ["gaussian", "deterministic"])
def test_resampled_codes_have_the_mean_and_covariance_of_the_mixture(name, float64):
    """Covariance of the means, plus the mean variance: 200,000 codes, each moment z ≤ 4."""
    n, h = 200_000, torch.randn(50, 6, generator=seeded())
    mean = h[:, :3] @ torch.tensor([[1.0, 0.8, 0.0], [0.0, 0.6, -0.5], [0.0, 0.0, 2.0]]) + 1
    if name == "gaussian":
        latent, q, variance = GaussianLatent(3), Normal(mean, h[:, 3:]), (2 * h[:, 3:]).exp().mean(0)
    else:
        latent, q, variance = DeterministicLatent(3), Delta(mean), torch.zeros(3)
    covariance = torch.from_numpy(np.cov(mean.T.numpy(), bias=True)) + variance.diag()
    codes = latent.resample(q, n, seeded(1))
    assert codes.shape == (n, 3)
    square = covariance.diag()
    assert ((codes.mean(0) - mean.mean(0)).abs() <= 4 * (square / n).sqrt()).all()
    error = ((square[:, None] * square + covariance.square()) / n).sqrt()  # of a Gaussian's
    assert ((codes.T.cov() - covariance).abs() <= 4 * error).all()


def test_resampled_codes_keep_to_the_plane_of_codes_whose_covariance_is_singular():
    """A unit that is off stays at its value, one that is twice another stays so; also with a single image."""
    means = torch.randn(50, 3, generator=seeded())
    means[:, 1], means[:, 2] = 0.5, 2 * means[:, 0]
    codes = DeterministicLatent(3).resample(Delta(means), 1000, seeded())
    assert codes.dtype == means.dtype
    assert codes[:, 0].std() > 0.5
    torch.testing.assert_close(codes[:, 1], torch.full((1000,), 0.5), rtol=0, atol=1e-6)
    torch.testing.assert_close(codes[:, 2], 2 * codes[:, 0], rtol=0, atol=1e-5)
    one = DeterministicLatent(3).resample(Delta(means[:1]), 10, seeded())
    torch.testing.assert_close(one, means[:1].expand(10, 3))
    many = torch.randn(
        3, 40, generator=seeded()
    )  # 38 variances are 0, some of them a little below by rounding
    assert DeterministicLatent(40).resample(Delta(many), 10, seeded()).isfinite().all()


def test_resampled_bits_have_the_rates_of_the_mixture_and_are_independent():
    """200,000 codes, z ≤ 4; although each image's own bits go together."""
    n, first = 200_000, 3 * torch.randn(50, generator=seeded())
    q = Bernoulli(torch.stack([first, first, torch.full((50,), 200.0)], -1))
    codes = BernoulliLatent(3).resample(q, n, seeded())
    rates = q.mean.mean(0)
    assert codes.shape == (n, 3) and set(codes.unique().tolist()) == {0.0, 1.0}
    assert ((codes.mean(0) - rates).abs() <= 4 * (rates * (1 - rates) / n).sqrt()).all()
    assert codes[:, 2].all()
    assert codes.T[:2].corrcoef()[0, 1].abs() <= 4 / math.sqrt(n)


@every_latent
def test_resampled_codes_are_a_function_of_their_generator(latent):
    q = latent.posterior(torch.randn(9, latent.encoder_outputs, generator=seeded()))
    before = torch.get_rng_state()
    first, again, other = (latent.resample(q, 20, seeded(s)) for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


# Walks.


@pytest.mark.parametrize("latent", [GaussianLatent(3), DeterministicLatent(3)])
def test_a_path_of_numbers_is_a_straight_line_at_equal_steps(latent):
    start, end = torch.tensor([0.0, 1.0, -2.0]), torch.tensor([10.0, 1.0, 3.0])
    path = latent.path(start, end, 11)
    assert path.shape == (11, 3)
    assert torch.equal(path[0], start) and torch.equal(path[-1], end)
    torch.testing.assert_close(path.diff(dim=0), ((end - start) / 10).expand(10, 3), rtol=0, atol=1e-6)


def test_a_path_of_bits_flips_one_at_a_time_the_surest_first():
    """From mode to mode; sure is a bit whose probability at the end is far from ½, whatever it is at the start."""
    start = torch.tensor([0.9, 0.1, 0.6, 0.4, 0.99])
    end = torch.tensor([0.2, 0.6, 0.01, 0.3, 0.98])
    path = BernoulliLatent(5).path(start, end, 11)
    expected = [[1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 1, 0, 0, 1]]
    assert path.tolist() == expected
    assert path.dtype == start.dtype


def test_a_path_of_bits_has_one_code_more_than_bits_that_differ():
    """For random ends: each step changes one bit, and none twice."""
    for seed in range(20):
        start, end = torch.rand(2, 9, generator=seeded(seed))
        path = BernoulliLatent(9).path(start, end, 11)
        assert torch.equal(path[0], (start > 0.5).float()) and torch.equal(path[-1], (end > 0.5).float())
        assert (path.diff(dim=0).abs().sum(1) == 1).all()
        assert len(path) == 1 + (path[0] != path[-1]).sum()
        flips = path.diff(dim=0).abs().argmax(1)
        sureness = (end - 0.5).abs()[flips]
        assert (sureness.diff() <= 0).all()


def test_a_path_of_bits_between_ends_of_one_mode_is_that_code():
    path = BernoulliLatent(2).path(torch.tensor([0.9, 0.1]), torch.tensor([0.6, 0.4]), 11)
    assert path.tolist() == [[1.0, 0.0]]


# Steps of a traversal.


def test_a_gaussian_units_steps_are_three_prior_deviations_to_both_sides():
    values, names = GaussianLatent(3).steps(torch.zeros(5, 3))
    assert values.shape == (3, 11) and len(names) == 11
    torch.testing.assert_close(values, torch.linspace(-3, 3, 11).expand(3, 11))
    assert names[:2] == ["-3.0", "-2.4"] and names[5] == "0.0" and names[-1] == "3.0"


def test_a_bits_steps_are_off_and_on():
    values, names = BernoulliLatent(3).steps(torch.zeros(5, 3, dtype=torch.float64))
    assert values.tolist() == [[0.0, 1.0]] * 3 and values.dtype == torch.float64
    assert names == ["off", "on"]


def test_a_deterministic_units_steps_are_three_deviations_of_its_codes():
    codes = torch.tensor([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    values, names = DeterministicLatent(2).steps(codes)
    torch.testing.assert_close(values[0], 2 + (8 / 3) ** 0.5 * torch.linspace(-3, 3, 11))
    assert values[1].tolist() == [5.0] * 11
    assert names[0] == "-3.0σ" and names[-1] == "+3.0σ" and len(names) == 11


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
