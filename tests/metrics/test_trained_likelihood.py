"""On a trained model, importance sampling and enumeration give the same log p(x)."""

import copy

import pytest
import torch
from metrics.joint import BERNOULLI, brute_force
from models.tables import seeded
from torch import distributions as oracle

from vae_cli.data.dataset import Dataset
from vae_cli.data.rectangles import rectangles
from vae_cli.metrics import likelihood as marginal
from vae_cli.metrics.bound import standard_error
from vae_cli.metrics.likelihood import enumerate_codes, log_likelihood
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.likelihoods import BernoulliLikelihood
from vae_cli.models.networks import MLP
from vae_cli.models.vae import VAE
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.relaxation import Concrete

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture(scope="module")
def trained() -> tuple[VAE, Dataset]:
    """8 binary units on 6×6 rectangles after 400 steps of Adam, in float64."""
    data = rectangles(6, 6, (1, 4), (1, 4), 1000, 1, 200, seed=0)
    torch.manual_seed(0)
    network, latent = MLP((32,), "relu", "xavier"), BernoulliLatent(8)
    networks = network.encoder(data.shape, 8), network.decoder(8, data.shape, 1)
    model = VAE(*networks, latent, BernoulliLikelihood()).double()
    objective, generator = ELBO(Concrete(1.0)), seeded()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    x = data.train.images.double()
    for _ in range(400):
        batch = x[torch.randint(len(x), (100,), generator=generator)]
        noise = latent.noise((1, 100), generator, batch)
        optimizer.zero_grad()
        objective(model, batch, batch, noise, {"beta": 1.0, "temperature": 0.5}).loss.mean().backward()
        optimizer.step()
    return model, data


def test_the_model_has_learned_something(trained):
    """Otherwise the comparison below would say little: log p(x) is above that of independent pixels by 3 nats, and not above
    the entropy; the posterior is not the prior."""
    model, data = trained
    exact = enumerate_codes(model, data, data.test)
    rate = data.train.images.double().mean(0).clamp(1e-3, 1 - 1e-3)
    independent = oracle.Bernoulli(rate).log_prob(data.test.images.double()).sum(-1)
    assert exact.log_likelihood.mean() > independent.mean() + 3
    assert -exact.log_likelihood.mean() > data.entropy
    assert (exact.log_likelihood - exact.elbo).min() >= 0
    assert model.latent.rate(marginal.posterior(model, data, data.test)).sum(-1).min() > 1


def test_importance_sampling_agrees_with_enumeration(trained):
    """S = 2,000: the mean of the paired differences is within 3 of its standard errors, while at S = 1 it is not;
    and the enumeration is brute force of 256 codes (2 images)."""
    model, data = trained
    exact = enumerate_codes(model, data, data.test)
    bounds = log_likelihood(model, data, data.test, (1, 2000), seed=0)
    elbo_off, off = exact.log_likelihood - bounds
    assert 0 < standard_error(off) < 0.05
    assert abs(off.mean().item()) <= 3 * standard_error(off)
    assert elbo_off.mean().item() > 3 * standard_error(elbo_off)
    by_hand = exact.elbo - bounds[0]
    assert abs(by_hand.mean().item()) <= 3 * standard_error(by_hand)
    few = data.test.images[:2].double()
    with torch.no_grad():
        log_px, elbo, _ = brute_force(model, few, BERNOULLI[1])
    assert exact.log_likelihood[:2].tolist() == pytest.approx(log_px, rel=1e-10)
    assert exact.elbo[:2].tolist() == pytest.approx(elbo, rel=1e-10)


def test_enumeration_in_float32_is_that_in_float64(trained):
    """The model's own numbers are rounded too: each image within 1e-3 nats, their mean within 1e-4."""
    model, data = trained
    wide = enumerate_codes(model, data, data.test)
    narrow = enumerate_codes(copy.deepcopy(model).float(), data, data.test)
    for found, expected in zip(narrow, wide, strict=True):
        assert found.dtype == torch.float64
        assert ((found - expected).abs() <= 1e-3).all()
        assert abs((found - expected).mean()) <= 1e-4
