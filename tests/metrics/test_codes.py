"""What a code holds: posteriors whose split is known, plain loops by torch.distributions, numpy and scikit-learn."""

import math

import numpy as np
import pytest
import torch
from models import tables
from models.oracles import ORACLES
from models.tables import LATENTS, WITH_PRIOR, seeded
from sklearn.decomposition import PCA
from torch import Tensor
from torch import distributions as oracle

from vae_cli.metrics import codes
from vae_cli.metrics.codes import class_means, principal_components, split_rate
from vae_cli.models.distributions import Bernoulli, Normal
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.posterior import Posterior, apply

pytestmark = pytest.mark.usefixtures("float64")

every_latent = pytest.mark.parametrize("latent", WITH_PRIOR)


def close(actual: Tensor, expected: Tensor | float, tolerance: float = 1e-10) -> None:
    tables.close(actual, expected, tolerance)


def random_outputs(latent: str, n: int, units: int) -> Tensor:
    """An encoder's outputs for n images, [n, P]."""
    outputs = LATENTS[latent](units).encoder_outputs
    # away from the prior; by different amounts, because softmax ignores a common shift
    away = torch.linspace(0.0, 1.6, outputs)
    return 0.8 * torch.randn(n, outputs, generator=seeded()) - away


def random_posterior(latent: str, n: int, units: int) -> tuple[Posterior, Posterior, Tensor]:
    """Of n images, with its prior and noise."""
    kind, like = LATENTS[latent](units), torch.zeros(())
    q = kind.posterior(random_outputs(latent, n, units))
    return q, kind.prior(like), kind.noise((n,), seeded(1), like)


# How the rate splits.


def test_bits_that_identify_their_image_hold_log_n_nats():
    """8 images, each sure of its own 3 bits of 5, the others sure to be 0: rate 5 log 2, of which I = log 8."""
    numbers = torch.arange(8)[:, None] >> torch.arange(5) & 1
    q, prior = Bernoulli(80.0 * numbers - 40), Bernoulli(torch.zeros(5))
    split = split_rate(q, prior, BernoulliLatent(5).noise((8,), seeded(), torch.zeros(())))
    close(split.mutual_information, math.log(8))
    close(split.marginal_kl, 5 * math.log(2) - math.log(8))
    close(split.marginal_log_prob, -math.log(8))


def test_gaussian_codes_far_apart_hold_log_n_nats():
    """Means 10 apart, std e⁻¹. The rest of the rate is KL(q(z) ‖ p(z)), at each image's own noise."""
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
    q = apply(lambda t: t.expand(600, *t.shape), prior)
    split = split_rate(q, prior, noise)
    close(split.mutual_information, 0.0)
    close(split.marginal_kl, 0.0)


@every_latent
def test_posteriors_that_are_all_the_same_have_a_rate_but_no_information(latent):
    q, prior, noise = random_posterior(latent, 1, 3)
    q = apply(lambda t: t.expand(50, *t.shape[1:]), q)
    split = split_rate(q, prior, noise.expand(50, -1))
    close(split.mutual_information, 0.0)
    assert (split.marginal_kl.abs() > 0.01).all()


@every_latent
def test_the_two_parts_make_up_the_rate(latent):
    """2,000 random posteriors: the mean of the paired differences from the closed form is within 3 standard errors,
    and no image's information is above log N."""
    q, prior, noise = random_posterior(latent, 2000, 4)
    split = split_rate(q, prior, noise)
    rate = LATENTS[latent](4).rate(q).sum(-1)
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
    each, one = ORACLES[latent](random_outputs(latent, n, 3), 3)
    z = q.sample(noise)
    for i in range(n):
        of_each_image = each.log_prob(z[i].expand_as(z)).sum(-1)
        marginal = (of_each_image.exp().sum() / n).log()
        close(split.marginal_log_prob[i], marginal)
        close(split.mutual_information[i], of_each_image[i] - marginal)
        close(split.marginal_kl[i], marginal - one.log_prob(z)[i].sum())


@every_latent
def test_the_split_of_a_float32_posterior_is_taken_in_float64(latent):
    q, prior, noise = random_posterior(latent, 100, 3)
    single = apply(Tensor.float, q)
    found = split_rate(single, prior, noise.float())
    expected = split_rate(apply(Tensor.double, single), prior, noise.float().double())
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float64
        close(ours, theirs, 1e-12)


# The principal components.


@pytest.mark.parametrize("units", [2, 5])
def test_the_principal_plane_is_scikit_learns_up_to_sign(units):
    points = torch.randn(60, units, generator=seeded()) * torch.arange(1.0, units + 1) + 3
    ours, theirs = principal_components(points), PCA(2).fit(points.numpy())
    sign = torch.from_numpy(np.sign((ours.axes.numpy() * theirs.components_).sum(-1)))
    close(ours.axes * sign[:, None], torch.from_numpy(theirs.components_), 1e-9)
    close(ours.points * sign, torch.from_numpy(theirs.transform(points.numpy())), 1e-9)
    close(ours.mean, torch.from_numpy(theirs.mean_))
    assert ours.explained == pytest.approx(theirs.explained_variance_ratio_.tolist())


def test_codes_on_a_plane_are_mean_plus_points_along_the_axes():
    on_plane = torch.randn(30, 2, generator=seeded()) @ torch.randn(2, 6, generator=seeded(1)) - 4
    plane = principal_components(on_plane)
    close(plane.mean + plane.points @ plane.axes, on_plane)
    close(plane.axes @ plane.axes.T, torch.eye(2))
    assert sum(plane.explained) == pytest.approx(1)


def test_codes_that_are_all_the_same_have_a_plane_without_extent():
    plane = principal_components(torch.full((5, 3), 2.0))
    assert plane.explained == [0.0, 0.0] and not plane.points.any()
    assert plane.axes.isfinite().all()


def test_class_means_are_those_of_each_classes_codes():
    means = class_means(torch.tensor([[1.0, 0.0], [3.0, 2.0], [7.0, 7.0]]), torch.tensor([4, 4, 1]))
    assert {label: mean.tolist() for label, mean in means.items()} == {1: [7.0, 7.0], 4: [2.0, 1.0]}
