"""Bounds of models whose likelihood is known: enumerated codes, and the linear-Gaussian model."""

import itertools
import math

import pytest
import torch
from models.tables import LIKELIHOODS, close, images, seeded, vae
from torch import Generator, Tensor
from torch.distributions import MultivariateNormal

from vae_cli.metrics.bound import hard_bound
from vae_cli.metrics.likelihood import importance_bounds
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.contract import Latent
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.models.likelihoods import UnitGaussianLikelihood
from vae_cli.models.vae import VAE
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.relaxation import Concrete

pytestmark = pytest.mark.usefixtures("float64")

every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
B, K, D = 5, 2, 6


def draw(latent: Latent, *shape: int) -> Tensor:
    return latent.noise(shape, seeded(2), torch.zeros(()))


# Exact: binary codes, enumerated.


def enumerate_codes(model: VAE, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log p(x|z), log p(z|x) and log q(z|x) for all codes [2^K, B]; from which log p(x) follows."""
    codes = torch.tensor(list(itertools.product([0.0, 1.0], repeat=model.latent.code_size)))[:, None]
    conditional = model.decode(codes).log_prob(x).sum(-1)
    return conditional, conditional - codes.shape[-1] * math.log(2), model.encode(x).log_prob(codes).sum(-1)


@every_likelihood
@torch.no_grad()
def test_the_bernoulli_bound_is_log_px_minus_the_kl_to_the_true_posterior(likelihood):
    """Exactly, by enumeration of 16 codes; `hard_bound` over 20,000 noises agrees, z ≤ 4."""
    parts, samples = LIKELIHOODS[likelihood](), 20_000
    model, x = vae(BernoulliLatent(4), parts), images(parts, B)
    conditional, joint, log_q = enumerate_codes(model, x)
    log_px, q = joint.logsumexp(0), log_q.exp()
    rate, distortion = hard_bound(model, x, draw(model.latent, samples, B))
    expected = (q * conditional).sum(0)
    elbo = expected - rate.sum(-1)
    gap = (q * (log_q - (joint - log_px))).sum(0)
    close(elbo, log_px - gap)
    assert (gap > 0).all()
    variance = (q * (conditional - expected).square()).sum(0)
    assert ((-distortion - expected).abs() <= 4 * (variance / samples).sqrt()).all()


def test_the_relaxed_loss_is_no_bound_and_is_not_reported_as_one():
    """Codes 0 and 1 both miss x, a relaxed ½ hits it: −loss is far above log p(x), −(rate + distortion) is not."""
    model, x = vae(BernoulliLatent(1), UnitGaussianLikelihood(), hidden=()), torch.zeros(B, D)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()  # the posterior is the prior
        model.decoder[0].weight.fill_(6.0)
        model.decoder[0].bias.fill_(-3.0)
    terms = ELBO(Concrete(1.0))(model, x, x, draw(model.latent, 100, B), {"beta": 1.0, "temperature": 5.0})
    log_px = enumerate_codes(model, x)[1].logsumexp(0).detach()
    close(-sum(terms.reported.values()), log_px)
    assert (-terms.loss > log_px + 20).all()


# Exact: the linear-Gaussian model, p(x) = N(bias, W Wᵀ + I).


def linear_gaussian(shift: float) -> tuple[VAE, Tensor, Tensor]:
    """A linear VAE whose encoder is its exact posterior N(Σ Wᵀ (x − bias), Σ), Σ = (I + Wᵀ W)⁻¹, off by `shift`
    in mean and log_std; W has orthogonal columns, so that Σ is diagonal. With x [B, D] and log p(x)."""
    model = vae(GaussianLatent(K), UnitGaussianLikelihood(), hidden=())
    generator, scale = Generator().manual_seed(3), torch.tensor([1.5, 0.6])
    bias = torch.randn(D, generator=generator)
    weight = torch.linalg.qr(torch.randn(D, K, generator=generator)).Q * scale
    precision = 1 + scale.square()
    to_mean = weight.T / precision[:, None]
    model.decoder[0].load_state_dict({"weight": weight, "bias": bias})
    model.encoder[0].load_state_dict(
        {
            "weight": torch.cat([to_mean, 0 * to_mean]),
            "bias": torch.cat([shift - to_mean @ bias, shift - 0.5 * precision.log()]),
        }
    )
    x = 2 * torch.randn(B, D, generator=generator)
    return model, x, MultivariateNormal(bias, weight @ weight.T + torch.eye(D)).log_prob(x)


@pytest.mark.parametrize("samples", [1, 7, 2000])
def test_the_importance_bound_is_exact_for_any_number_of_samples_under_the_exact_posterior(samples):
    """Every weight is then p(x) itself."""
    model, x, log_px = linear_gaussian(shift=0.0)
    close(importance_bounds(model, x, (samples,), Generator().manual_seed(0))[0], log_px, 1e-11)


def test_importance_weights_of_a_wrong_encoder_still_average_to_the_likelihood():
    """E[exp(bound)] = p(x) at any number of samples: 2,000 estimates of 32 samples each, z ≤ 4; and
    one estimate of 50,000 samples is within 4 of its standard errors."""
    model, x, log_px = linear_gaussian(shift=0.3)
    exact = log_px.repeat_interleave(2000)
    rows = x.repeat_interleave(2000, 0)
    estimates = importance_bounds(model, rows, (32,), Generator().manual_seed(0))[0] - exact
    ratio = estimates.exp().unflatten(0, (B, 2000))
    assert ((ratio.mean(1) - 1).abs() <= 4 * ratio.std(1) / math.sqrt(2000)).all()
    one_sample = ratio.std(1) * math.sqrt(32)
    off = importance_bounds(model, x, (50_000,), Generator().manual_seed(1))[0] - log_px
    assert (one_sample > 0.1).all()
    assert (off.abs() <= 4 * one_sample / math.sqrt(50_000)).all()


@pytest.mark.parametrize("shift", [0.0, 0.3, -0.5])
def test_the_gaussian_bound_is_log_px_minus_the_kl_to_the_true_posterior(shift):
    """The integrand is quadratic in the noise, which the 2K points ±√K e_k integrate exactly."""
    model, x, log_px = linear_gaussian(shift)
    points = math.sqrt(K) * torch.cat([torch.eye(K), -torch.eye(K)])[:, None].expand(-1, B, -1)
    rate, distortion = hard_bound(model, x, points)
    gap = model.encode(x).kl(linear_gaussian(0.0)[0].encode(x)).sum(-1).detach()
    close(-(rate.sum(-1) + distortion), log_px - gap)
    assert (gap > 0.05).all() if shift else (gap < 1e-12).all()
