"""log p(x) by enumeration of all codes, against brute force."""

import itertools

import pytest
import torch
from metrics.joint import LIKELIHOODS, K, brute_force, every_latent, every_likelihood, images, vae
from metrics.oracles import data_of
from models.tables import DISCRETE, LATENTS, seeded

from vae_cli.metrics import bound as evaluate
from vae_cli.metrics import likelihood as marginal
from vae_cli.metrics.likelihood import enumerate_codes, importance_bounds, is_enumerable
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.categorical import CategoricalLatent
from vae_cli.models.latents.gaussian import GaussianLatent

pytestmark = pytest.mark.usefixtures("float64")


@every_likelihood
@pytest.mark.parametrize("at_once", [1, 3, 2048])
@pytest.mark.parametrize("name", DISCRETE)
@torch.no_grad()
def test_enumeration_is_brute_force_however_it_is_chunked(monkeypatch, likelihood, at_once, name):
    """5 images and 8 or 9 codes, 1 or 3 or all of them at a time. `tick` is told of every code."""
    monkeypatch.setattr(marginal, "CODES_AT_ONCE", at_once)
    parts, observation = LIKELIHOODS[likelihood]
    model, x, ticks = vae(LATENTS[name](3 if name == "bernoulli" else 2), parts), images(5, parts), []
    exact = enumerate_codes(model, *data_of(x), ticks.append)
    log_px, elbo, _ = brute_force(model, x, observation)
    assert exact.log_likelihood.tolist() == pytest.approx(log_px, rel=1e-10)
    assert exact.elbo.tolist() == pytest.approx(elbo, rel=1e-10)
    assert sum(ticks) == model.latent.code_count in (8, 9) and max(ticks) == min(
        at_once, model.latent.code_count
    )


@torch.no_grad()
def test_a_learned_prior_weighs_the_codes():
    """log Σ p(z) p(x|z) by hand; with a decoder that ignores the code, the prior does not matter, and sums to 1."""
    latent = BernoulliLatent(3, prior="learned")
    model, x = vae(latent), images(5)
    latent.prior_logits.copy_(torch.tensor([-2.0, 0.5, 1.5]))
    codes = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)))
    log_prior = torch.distributions.Bernoulli(logits=latent.prior_logits).log_prob(codes).sum(-1)
    given = torch.stack([model.decode(code).log_prob(x).sum(-1) for code in codes])
    found = enumerate_codes(model, *data_of(x)).log_likelihood
    torch.testing.assert_close(found, (log_prior[:, None] + given).logsumexp(0), rtol=0, atol=1e-10)
    model.decoder[0].weight.zero_()
    found = enumerate_codes(model, *data_of(x)).log_likelihood
    torch.testing.assert_close(found, model.decode(codes[0]).log_prob(x).sum(-1), rtol=0, atol=1e-10)


@every_likelihood
@torch.no_grad()
def test_the_inference_gap_is_the_kl_to_the_true_posterior(likelihood):
    parts, observation = LIKELIHOODS[likelihood]
    model, x = vae(BernoulliLatent(3), parts), images(5, parts)
    exact = enumerate_codes(model, *data_of(x))
    gap = exact.log_likelihood - exact.elbo
    assert (gap >= 0).all()
    assert gap.tolist() == pytest.approx(brute_force(model, x, observation)[2], rel=1e-9)


def test_the_inference_gap_is_0_if_the_decoder_ignores_the_code_and_the_posterior_is_the_prior():
    """Then p(z|x) = p(z) = q(z|x), and log p(x) is log p(x|z) of any code."""
    model, x = vae(BernoulliLatent(3)), images(5)
    with torch.no_grad():
        model.decoder[0].weight.zero_()
        model.encoder[-1].weight.zero_()
        model.encoder[-1].bias.zero_()
    exact = enumerate_codes(model, *data_of(x))
    expected = model.decode(torch.zeros(3)).log_prob(x).sum(-1).detach()
    torch.testing.assert_close(exact.log_likelihood, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(exact.elbo, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("latent", "enumerable"),
    [
        (BernoulliLatent(20), True),
        (BernoulliLatent(21), False),
        (CategoricalLatent(10, 4), True),  # 4¹⁰ = 2²⁰ codes
        (CategoricalLatent(11, 4), False),
        (CategoricalLatent(1, 2**20), True),
        (CategoricalLatent(2, 1025), False),
        (GaussianLatent(1), False),
    ],
)
def test_at_most_2_to_the_20_codes_are_enumerated(latent, enumerable):
    assert is_enumerable(latent) == enumerable


def test_a_latent_without_a_prior_or_without_countable_codes_is_refused_by_name():
    plain, continuous = (vae(LATENTS[name](K)) for name in ("deterministic", "gaussian"))
    with pytest.raises(ValueError, match="latent=deterministic has no prior"):
        importance_bounds(plain, images(), (1,), seeded())
    for model in (plain, continuous):
        with pytest.raises(ValueError, match=f"codes of latent={model.latent.name} cannot be counted"):
            enumerate_codes(model, *data_of(images()))


@every_latent
def test_posterior_is_of_every_image_in_order_however_it_is_chunked(monkeypatch, latent):
    monkeypatch.setattr(evaluate, "DECODED_ROWS", 4)
    model, x = vae(latent), images(9)
    q = marginal.posterior(model, *data_of((255 * x).to(torch.uint8), 1 / 255))
    expected = model.encode(x)
    assert type(q) is type(expected)
    for found, field in zip(q, expected, strict=True):
        assert not found.requires_grad
        torch.testing.assert_close(found, field.detach())
