"""The bound on held-out images, against oracles over recorded noise and models built by hand."""

import math

import pytest
import torch
from metrics.oracles import SHAPE, RecordedNoise, data_of, rate
from models import tables
from models.tables import LATENTS, WITH_PRIOR
from torch import Tensor
from torch import distributions as oracle

from vae_cli.metrics import bound as evaluate
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.contract import Latent
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.models.likelihoods import BernoulliLikelihood
from vae_cli.models.vae import VAE
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.pathwise import Pathwise

pytestmark = pytest.mark.usefixtures("float64")

B, D, K = 3, 6, 2
SCHEDULE = {"beta": 0.7, "temperature": 0.5}


def vae(latent: Latent, hidden: tuple[int, ...] = (7,)) -> VAE:
    return tables.vae(latent, BernoulliLikelihood(), SHAPE, hidden)


def images(n: int = B) -> Tensor:
    return tables.images(BernoulliLikelihood(), n, SHAPE)


# Bounds.


@pytest.mark.parametrize("latent", [LATENTS[name](K) for name in WITH_PRIOR], ids=WITH_PRIOR)
@pytest.mark.parametrize("rows", [1, 16, 10**6])
def test_bound_is_the_mean_over_images_of_its_own_terms_however_it_is_chunked(monkeypatch, latent, rows):
    """elbo = −(rate + distortion), by oracles over the same noise; stored grey levels are scaled."""
    monkeypatch.setattr(evaluate, "DECODED_ROWS", rows)
    model, x, samples = vae(latent), images(9), 4
    recorded = RecordedNoise.of(model)
    data, split = data_of((255 * x).to(torch.uint8), 1 / 255)
    figures = evaluate.bound(model, data, split, samples)
    assert len(recorded.drawn) == {1: 9, 16: 3, 10**6: 1}[rows]
    noise, nats = torch.cat(recorded.drawn, 1), rate(model, x).detach()
    decoded = oracle.Bernoulli(logits=model.decoder(model.encode(x).sample(noise)))
    elbo = (decoded.log_prob(x).sum(-1).mean(0) - nats.sum(-1)).detach()
    assert figures["elbo"] == pytest.approx(elbo.mean().item())
    assert figures["elbo"] == pytest.approx(-(figures["rate"] + figures["distortion"]))
    assert figures["elbo_standard_error"] == pytest.approx(elbo.std().item() / 3)
    assert figures["rate_per_unit"] == pytest.approx(nats.mean(0).tolist())
    assert figures["rate"] == pytest.approx(sum(figures["rate_per_unit"]))


def test_active_units_are_those_whose_mean_varies_by_more_than_a_hundredth():
    """Images are all 0 or all 1, half each, and unit k's mean is ± a_k: a variance of exactly a_k²."""
    model = vae(GaussianLatent(4), hidden=())
    spread = torch.tensor([0.0, 0.0995, 0.1005, 2.0])
    with torch.no_grad():
        model.encoder[0].weight.zero_()
        model.encoder[0].weight[:4, 0] = 2 * spread
        model.encoder[0].bias.copy_(torch.cat([-spread, torch.ones(4)]))
    x = torch.tensor([0.0, 1.0])[:, None].expand(2, D)
    assert evaluate.bound(model, *data_of(x))["active_units"] == 2
    assert evaluate.bound(model, *data_of(x[:1]))["active_units"] == 0


def test_a_categorical_unit_is_active_if_any_of_its_probabilities_varies():
    """Two units with three values: the first varies in its last value alone, the second not at all."""
    means = torch.tensor([[0.3, 0.1, 0.3, 0.1, 0.4, 0.8], [0.3, 0.1, 0.0, 0.1, 0.7, 0.8]])
    assert evaluate.active_units(means, 2).tolist() == [True, False]
    assert evaluate.active_units(means[:, :2], 2).tolist() == [False, False]


class Doubled(ELBO):
    """Adds twice the rate of each image to the validation metrics."""

    def bound(self, model: VAE, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        return {"doubled": 2 * model.latent.rate(model.encode(x)).sum(-1)}


def test_an_objective_adds_its_own_metrics_to_the_bound():
    model, (data, split) = vae(GaussianLatent(K)), data_of(images(9))
    figures = evaluate.bound(model, data, split, objective=Doubled(Pathwise()))
    assert figures["doubled"] == pytest.approx(2 * figures["rate"])
    assert figures.keys() - {"doubled"} == evaluate.bound(model, data, split).keys()


def test_standard_error_is_of_the_mean_and_unknown_for_one_value():
    values = torch.tensor([1.0, 2.0, 4.0, 9.0])
    assert evaluate.standard_error(values) == pytest.approx(math.sqrt(38 / 3 / 4))  # Σ (v − 4)² = 38
    assert math.isnan(evaluate.standard_error(values[:1]))


def test_figures_use_their_own_generator():
    """The same at each call, different for another seed, and torch's own generator does not move."""
    model, (data, split) = vae(BernoulliLatent(K)), data_of(images())
    before = torch.get_rng_state()
    first, again, other = (evaluate.bound(model, data, split, 2, seed=s) for s in (0, 0, 1))
    assert first == again != other
    assert torch.equal(before, torch.get_rng_state())
