"""An estimator's gradient, measured on a model: its variance, its signal and its bias."""

import copy

import pytest
import torch
from metrics.oracles import SHAPE
from models import tables
from models.tables import ROWS, seeded
from torch import Tensor

from vae_cli.metrics.gradients import exact_gradient, gradient_metrics
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.contract import Latent
from vae_cli.models.latents.deterministic import DeterministicLatent
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.models.likelihoods import BernoulliLikelihood
from vae_cli.models.vae import VAE
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.pathwise import Pathwise
from vae_cli.objectives.estimators.relaxation import Concrete
from vae_cli.objectives.estimators.score_function import Reinforce

pytestmark = pytest.mark.usefixtures("float64")

B, K = 3, 2
SCHEDULE = {"beta": 0.7, "temperature": 0.5}


def vae(latent: Latent) -> VAE:
    return tables.vae(latent, BernoulliLikelihood(), SHAPE)


def images(n: int = B) -> Tensor:
    return tables.images(BernoulliLikelihood(), n, SHAPE)


@pytest.mark.parametrize(
    ("latent", "estimator"),
    [
        (GaussianLatent(K), Pathwise()),
        (BernoulliLatent(K), Concrete(1.0)),
        (BernoulliLatent(K), Reinforce("leave_one_out", 0.9)),
    ],
    ids=["pathwise", "concrete", "reinforce"],
)
def test_gradient_variance_is_the_sample_variance_of_stacked_gradients(latent, estimator):
    """Σ of the unbiased variance of 5 gradients of the batch's mean loss; |mean|² less what noise adds to it."""
    model, x, objective = vae(latent), images(), ELBO(estimator, samples=2)
    figures = gradient_metrics(model, objective, x, 5, SCHEDULE)
    generator, gradients = seeded(), []
    for _ in range(5):
        loss = objective(model, x, x, model.latent.noise((2, B), generator, x), SCHEDULE).loss.mean()
        found = torch.autograd.grad(loss, list(model.encoder.parameters()))
        gradients.append(torch.cat([g.flatten() for g in found]))
    stacked = torch.stack(gradients)
    variance = stacked.var(0).sum().item()
    assert variance > 1e-6
    assert figures["gradient_variance"] == pytest.approx(variance)
    assert figures["gradient_square"] == pytest.approx(stacked.mean(0).square().sum().item() - variance / 5)


def test_gradient_variance_is_zero_without_noise():
    figures = gradient_metrics(vae(DeterministicLatent(K)), ELBO(Pathwise()), images(), 4, SCHEDULE)
    assert figures["gradient_square"] > 1e-6
    assert abs(figures["gradient_variance"]) < 1e-12 * figures["gradient_square"]


def test_gradient_variance_leaves_the_objective_the_model_and_the_generator_as_they_were():
    """A moving average moves in a copy only, and the copy starts where training left it."""
    model, x, objective = vae(BernoulliLatent(K)), images(), ELBO(Reinforce("moving_average", 0.9))
    fresh = gradient_metrics(model, objective, x, 4, SCHEDULE)
    assert objective.estimator.weight == 0
    objective(model, x, x, model.latent.noise((1, B), seeded(), x), SCHEDULE)
    buffers, random = copy.deepcopy(objective.state_dict()), torch.get_rng_state()
    trained = gradient_metrics(model, objective, x, 4, SCHEDULE)
    for name, value in objective.state_dict().items():
        assert torch.equal(value, buffers[name])
    assert buffers["estimator.weight"] > 0 and trained != fresh
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("kl", ["analytic", "sampled"])
def test_the_exact_gradient_is_that_of_the_enumerated_elbo(kl):
    model, x = vae(BernoulliLatent(K)), images()
    objective = ELBO(Reinforce("moving_average", 0.9), kl=kl)
    found = exact_gradient(model, objective, x, SCHEDULE)
    q = model.encode(x)
    codes = model.latent.codes(torch.arange(4), x)
    likelihood = torch.stack([model.decode(code).log_prob(x).sum(-1) for code in codes])
    elbo = (q.pairwise_log_prob(codes).exp() * likelihood).sum(0) - 0.7 * model.latent.rate(q).sum(-1)
    expected = torch.autograd.grad(-elbo.mean(), list(model.encoder.parameters()))
    assert found is not None
    for here, there in zip(found, expected, strict=True):
        torch.testing.assert_close(here, there)


def test_there_is_no_exact_gradient_of_continuous_codes_and_of_too_many():
    for latent in (GaussianLatent(K), BernoulliLatent(13)):
        assert exact_gradient(vae(latent), ELBO(Pathwise()), images(), SCHEDULE) is None


UNBIASED = ("reinforce", "disarm", "arm", "arms", "local_expectation", "muprop", "double_cv", "rodeo", "rebar", "relax")  # fmt: skip


@pytest.mark.parametrize("name", [*UNBIASED, "straight_through", "concrete", "st_gumbel"])
def test_the_bias_in_standard_errors_is_about_1_without_bias(name):
    """Of a real model's encoder, over 400 draws on 4 images: √(n |mean − exact|² / variance). It is the root of a mean of
    squares of about standard normal numbers, of a few effective dimensions: 0.3 to 2 without bias."""
    torch.manual_seed(0)
    model = vae(BernoulliLatent(4))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, generator=seeded())
    row = ROWS[name]
    estimator = row.make(4, 6)
    objective = ELBO(estimator, samples=5 if row.samples is None else row.samples)
    found = gradient_metrics(model, objective, images(4), 400, {"beta": 1.0, "temperature": 1.0})
    if name in UNBIASED:
        assert 0.2 < found["gradient_bias"] < 2.2
    else:
        assert found["gradient_bias"] > 3
