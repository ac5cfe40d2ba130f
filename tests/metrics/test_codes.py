"""What a code holds: posteriors whose split is known, plain loops by torch.distributions, numpy and scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Generator, Tensor
from torch import distributions as oracle

from vae_cli.metrics import codes
from vae_cli.metrics.codes import bits, class_means, principal_plane, split_rate
from vae_cli.models.distributions import Bernoulli, Normal
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.models.posterior import Posterior

pytestmark = pytest.mark.usefixtures("float64")

LATENTS = {"gaussian": GaussianLatent, "bernoulli": BernoulliLatent}
every_latent = pytest.mark.parametrize("latent", LATENTS)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def random_posterior(latent: str, n: int, units: int) -> tuple[Posterior, Posterior, Tensor]:
    """Of n images, with its prior and noise."""
    kind = LATENTS[latent](units)
    like = torch.zeros(())
    q = kind.posterior(0.8 * torch.randn(n, kind.encoder_outputs, generator=seeded()) - 0.8)
    return q, kind.prior(like), kind.noise((n,), seeded(1), like)


def close(actual: Tensor, expected: Tensor | float, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(
        actual,
        torch.as_tensor(expected, dtype=actual.dtype).expand_as(actual),
        rtol=tolerance,
        atol=tolerance,
    )


# How the rate splits.


def test_bits_that_name_their_image_hold_log_n_nats():
    """8 images, each sure of its own 3 bits of 5, the others sure to be 0: rate 5 log 2, of which I = log 8."""
    numbers = torch.arange(8)[:, None] >> torch.arange(5) & 1
    q, prior = Bernoulli(80.0 * numbers - 40), Bernoulli(torch.zeros(5))
    split = split_rate(q, prior, BernoulliLatent(5).noise((8,), seeded(), torch.zeros(())))
    close(split.mutual_information, math.log(8))
    close(split.marginal_kl, 5 * math.log(2) - math.log(8))
    close(split.marginal_log_prob, -math.log(8))


def test_gaussian_codes_far_apart_hold_log_n_nats():
    """Unit means 10 apart, std e⁻¹; what is left of the rate is KL(q(z) ‖ p(z)), at each image's own noise."""
    n, mean = 10, 10 * torch.arange(10.0)[:, None].expand(10, 2)
    q, prior = Normal(mean, torch.full((n, 2), -1.0)), Normal(torch.zeros(2), torch.zeros(2))
    noise = torch.randn(n, 2, generator=seeded())
    split = split_rate(q, prior, noise)
    close(split.mutual_information, math.log(n))
    sampled_rate = oracle.Normal(mean, math.exp(-1)).log_prob(q.sample(noise)).sum(-1)
    sampled_rate = sampled_rate - oracle.Normal(0.0, 1.0).log_prob(q.sample(noise)).sum(-1)
    close(split.marginal_kl, sampled_rate - math.log(n))


@every_latent
def test_posteriors_that_are_the_prior_hold_nothing(latent):
    _, prior, noise = random_posterior(latent, 600, 3)
    q = type(prior)(*(t.expand(600, 3) for t in prior))
    split = split_rate(q, prior, noise)
    close(split.mutual_information, 0.0)
    close(split.marginal_kl, 0.0)


@every_latent
def test_posteriors_that_are_all_the_same_pay_a_rate_but_say_nothing(latent):
    q, prior, noise = random_posterior(latent, 1, 3)
    q = type(q)(*(t.expand(50, 3) for t in q))
    split = split_rate(q, prior, noise.expand(50, 3))
    close(split.mutual_information, 0.0)
    assert (split.marginal_kl.abs() > 0.01).all()


@every_latent
def test_the_two_parts_make_up_the_rate(latent):
    """2,000 random posteriors: the mean of the paired differences from the closed form is within 3 standard errors,
    and no image's information is above log N."""
    q, prior, noise = random_posterior(latent, 2000, 4)
    split = split_rate(q, prior, noise)
    rate = q.kl(prior).sum(-1)
    off = split.mutual_information + split.marginal_kl - rate
    error = off.std() / math.sqrt(2000)
    assert 0 < error < rate.mean() / 20
    assert off.mean().abs() <= 3 * error
    assert (split.mutual_information <= math.log(2000) + 1e-9).all()
    assert split.mutual_information.mean() > 0.1 and split.marginal_kl.mean() > 0.1


@every_latent
@pytest.mark.parametrize("rows", [1, 3, 512])
def test_the_split_is_a_plain_loop_by_oracles_however_it_is_chunked(monkeypatch, latent, rows):
    monkeypatch.setattr(codes, "ROWS_AT_ONCE", rows)
    n = 7
    q, prior, noise = random_posterior(latent, n, 3)
    split = split_rate(q, prior, noise)
    if latent == "gaussian":
        each, one = oracle.Normal(q.mean, q.log_std.exp()), oracle.Normal(torch.zeros(3), 1.0)
    else:
        each, one = oracle.Bernoulli(logits=q.logits), oracle.Bernoulli(torch.full((3,), 0.5))
    each = oracle.Independent(each, 1)
    aggregate = oracle.MixtureSameFamily(oracle.Categorical(torch.ones(n)), each)
    z = q.sample(noise)
    for i in range(n):
        marginal = aggregate.log_prob(z[i])
        close(split.marginal_log_prob[i], marginal)
        close(split.mutual_information[i], each.log_prob(z[i])[i] - marginal)
        close(split.marginal_kl[i], marginal - one.log_prob(z[i]).sum())


@every_latent
def test_the_split_of_a_float32_posterior_is_taken_in_float64(latent):
    q, prior, noise = random_posterior(latent, 100, 3)
    single = type(q)(*(t.float() for t in q))
    found = split_rate(single, prior, noise.float())
    expected = split_rate(type(q)(*(t.double() for t in single)), prior, noise.float().double())
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float64
        close(ours, theirs, 1e-12)


# Bits.


def correlated_bits() -> Bernoulli:
    """500 images, 4 units: the second follows the first, the third opposes it, the fourth is its own."""
    first = 2 * torch.randn(500, generator=seeded())
    own = torch.randn(500, generator=seeded(1))
    return Bernoulli(torch.stack([first, 3 * first + 1, 0.5 - 2 * first, own], -1))


def test_on_is_the_mean_probability_and_distinct_counts_modes():
    q = Bernoulli(torch.tensor([[2.0, -1.0], [0.5, -3.0], [-1.0, 4.0], [-2.0, -1.0]]))
    found = bits(q)
    close(found.on, q.logits.sigmoid().mean(0))
    assert found.distinct == 3  # 10, 10, 01, 00


def test_the_correlation_of_two_units_is_that_of_their_enumerated_values():
    """P(b₁, b₂) = mean of the images' products; no sampling."""
    q = Bernoulli(correlated_bits().logits[:, :2])
    p = q.logits.sigmoid()
    joint = {(a, b): ((p[:, 0] if a else 1 - p[:, 0]) * (p[:, 1] if b else 1 - p[:, 1])).mean().item()
             for a in (0, 1) for b in (0, 1)}  # fmt: skip
    first, second = (sum(w for values, w in joint.items() if values[i]) for i in (0, 1))
    expected = (joint[1, 1] - first * second) / math.sqrt(first * (1 - first) * second * (1 - second))
    found = bits(q).correlation
    assert expected > 0.3
    close(found, torch.tensor([[1.0, expected], [expected, 1.0]]))


def test_the_correlation_is_that_of_sampled_bits():
    """200,000 bits of images drawn at random, np.corrcoef: each pair z ≤ 4 by the spread of its own influence."""
    q, n = correlated_bits(), 200_000
    image = torch.randint(500, (n,), generator=seeded(2))
    noise = BernoulliLatent(4).noise((n,), seeded(3), torch.zeros(()))
    sampled = Bernoulli(q.logits[image]).sample(noise).numpy()
    found, expected = bits(q).correlation.numpy(), np.corrcoef(sampled.T)
    standard = (sampled - sampled.mean(0)) / sampled.std(0)
    assert found[0, 1] > 0.3 and found[0, 2] < -0.3
    close(torch.from_numpy(found.diagonal().copy()), 1.0)
    for i, j in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        u, v = standard[:, i], standard[:, j]
        influence = u * v - expected[i, j] * (u * u + v * v) / 2
        assert abs(found[i, j] - expected[i, j]) <= 4 * influence.std() / math.sqrt(n)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_unit_that_never_changes_correlates_with_none(logit, dtype):
    logits = torch.stack([torch.full((9,), logit), torch.randn(9, generator=seeded())], -1)
    found = bits(Bernoulli(logits.to(dtype)))
    assert found.on[0] == float(logit > 0)
    close(found.correlation, torch.tensor([[0.0, 0.0], [0.0, 1.0]]))


def test_one_unit_and_one_image_are_enough():
    found = bits(Bernoulli(torch.tensor([[0.3]])))
    assert found.correlation.tolist() == [[pytest.approx(1.0)]] and found.distinct == 1


# The plane.


@pytest.mark.parametrize("units", [2, 5])
def test_the_principal_plane_is_scikit_learns_up_to_sign(units):
    points = torch.randn(60, units, generator=seeded()) * torch.arange(1.0, units + 1) + 3
    ours, theirs = principal_plane(points), PCA(2).fit(points.numpy())
    sign = torch.from_numpy(np.sign((ours.axes.numpy() * theirs.components_).sum(-1)))
    close(ours.axes * sign[:, None], torch.from_numpy(theirs.components_), 1e-9)
    close(ours.points * sign, torch.from_numpy(theirs.transform(points.numpy())), 1e-9)
    close(ours.mean, torch.from_numpy(theirs.mean_))
    assert ours.explained == pytest.approx(theirs.explained_variance_ratio_.tolist())


def test_codes_on_a_plane_are_mean_plus_points_along_the_axes():
    on_plane = torch.randn(30, 2, generator=seeded()) @ torch.randn(2, 6, generator=seeded(1)) - 4
    plane = principal_plane(on_plane)
    close(plane.mean + plane.points @ plane.axes, on_plane)
    close(plane.axes @ plane.axes.T, torch.eye(2))
    assert sum(plane.explained) == pytest.approx(1)


def test_codes_that_are_all_the_same_have_a_plane_without_extent():
    plane = principal_plane(torch.full((5, 3), 2.0))
    assert plane.explained == [0.0, 0.0] and not plane.points.any()
    assert plane.axes.isfinite().all()


def test_class_means_are_those_of_each_classes_codes():
    means = class_means(torch.tensor([[1.0, 0.0], [3.0, 2.0], [7.0, 7.0]]), torch.tensor([4, 4, 1]))
    assert {label: mean.tolist() for label, mean in means.items()} == {1: [7.0, 7.0], 4: [2.0, 1.0]}
