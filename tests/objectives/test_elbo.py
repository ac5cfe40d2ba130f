"""The ELBO: laws over every latent × estimator × likelihood, free bits, and its schedule."""

import copy
from collections.abc import Callable

import pytest
import torch
from models.tables import LATENTS, LIKELIHOODS, close, images, vae
from objectives.elbos import EVERY, B, K, S, draw, elbo, every_likelihood, every_pair, gradient_of, schedule
from torch import Tensor

from vae_cli.metrics.bound import hard_bound
from vae_cli.models.distributions import Normal
from vae_cli.models.vae import VAE
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.pathwise import Pathwise
from vae_cli.objectives.estimators.relaxation import Concrete
from vae_cli.objectives.estimators.score_function import Reinforce

pytestmark = pytest.mark.usefixtures("float64")

# Laws over a table.


@every_pair
@every_likelihood
def test_the_terms_of_every_combination(latent, estimator, likelihood):
    """Shapes [B], finite terms and gradients, rate ≥ 0, the same terms from the same noise, and beta multiplies nats."""
    parts = LIKELIHOODS[likelihood]()
    model, x = vae(LATENTS[latent](K), parts), images(parts, B)
    objective = elbo(estimator)
    noise = draw(model.latent, objective.rows, B)
    again, weighted = copy.deepcopy(objective), copy.deepcopy(objective)
    terms = objective(model, x, x, noise, schedule(1.0))
    assert tuple(terms.reported) == objective.terms
    for term in (terms.loss, *terms.reported.values()):
        assert term.shape == (B,)
        assert term.isfinite().all()
    for gradient in gradient_of(terms.loss.mean(), model):
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0
    rate, distortion = terms.reported.values()
    assert (rate == 0).all() if latent == "deterministic" else (rate > 0).all()
    assert not rate.requires_grad and not distortion.requires_grad
    same = again(model, x, x, noise, schedule(1.0))
    assert torch.equal(same.loss, terms.loss)
    three = weighted(model, x, x, noise, schedule(3.0))
    for other in (same, three):
        for name, term in terms.reported.items():
            assert torch.equal(term, other.reported[name])
    if estimator != "concrete":
        close(terms.loss.detach(), rate + distortion)
    close((three.loss - terms.loss).detach(), 2 * rate)


OF_HARD_CODES: dict[
    str, Callable[[Tensor], Tensor]
] = {  # which of its rows of noise, or of others, make the hard codes
    "disarm": lambda noise: torch.cat([noise, -noise]),
    "arm": lambda noise: torch.cat([noise, -noise]),
    "gumbel_rao": lambda noise: noise[:S],
}
OTHER_CODES = ("arms", "exact")  # of a copula, and all


@pytest.mark.parametrize(
    ("latent", "estimator"), [(latent, name) for latent, name in EVERY if name not in OTHER_CODES]
)
@every_likelihood
def test_the_reported_terms_are_the_hard_bound(latent, estimator, likelihood):
    """Whatever was minimized, rate and distortion are those of `hard_bound` at the same noise."""
    parts = LIKELIHOODS[likelihood]()
    model, x, objective = vae(LATENTS[latent](K), parts), images(parts, B), elbo(estimator, free_bits=0.3)
    noise = draw(model.latent, objective.rows, B)
    terms = objective(model, x, x, noise, schedule(0.1, 2.0))
    hard = OF_HARD_CODES.get(estimator, lambda noise: noise)(noise)
    rate_per_unit, distortion = hard_bound(model, x, hard)
    assert rate_per_unit.shape == (B, K)
    close(terms.reported["rate"], rate_per_unit.sum(-1))
    close(terms.reported["distortion"], distortion)


def test_the_encoder_sees_the_inputs_and_the_likelihood_the_target():
    """A corrupted input changes the posterior, not the target of the reconstruction."""
    model, x = (
        vae(LATENTS["gaussian"](K), LIKELIHOODS["unit_gaussian"]()),
        images(LIKELIHOODS["unit_gaussian"](), B),
    )
    inputs, noise = 0 * x, draw(model.latent, S, B)
    terms = ELBO(Pathwise())(model, inputs, x, noise, schedule(1.0)).reported
    q = model.encode(inputs)
    close(terms["rate"], model.latent.rate(q).sum(-1).detach())
    log_prob = Normal(model.decoder(q.sample(noise)), torch.zeros(())).log_prob(x)
    close(terms["distortion"], -log_prob.sum(-1).mean(0).detach())


@pytest.mark.parametrize("latent", LATENTS)
@every_likelihood
def test_a_reconstruction_is_the_mean_image_of_the_most_probable_code(latent, likelihood):
    """A discrete code is a hard one."""
    parts = LIKELIHOODS[likelihood]()
    model, x = vae(LATENTS[latent](K), parts), images(parts, B)
    h = model.encoder(x)
    hard = h.unflatten(-1, (-1, K)).argmax(1, keepdim=True) == torch.arange(3)[:, None]  # of categories
    codes = {"bernoulli": h > 0, "categorical": hard.flatten(1)}
    code = codes[latent].double() if latent in codes else h[:, :K]
    assert torch.equal(model.reconstruct(x), parts(model.decoder(code)).mean)
    assert torch.equal(model.generate(code), model.reconstruct(x))


# Free bits.


def free_bits_model() -> tuple[VAE, Tensor]:
    """Two units, one with a small rate and one with a large; the decoder ignores both."""
    parts = LIKELIHOODS["unit_gaussian"]()
    model, x = vae(LATENTS["gaussian"](2), parts, hidden=()), images(parts, B)
    with torch.no_grad():
        model.encoder[0].weight.mul_(0.01)
        model.encoder[0].bias.copy_(torch.tensor([0.1, 2.0, 0.0, -0.5]))
        model.decoder[0].weight.zero_()
    return model, x


def test_free_bits_do_not_penalize_a_rate_below_them_and_do_not_change_one_above_them():
    model, x = free_bits_model()
    noise = draw(model.latent, S, B)
    plain, spared = (
        ELBO(Pathwise(), free_bits=free)(model, x, x, noise, schedule(1.5)) for free in (0.0, 0.5)
    )
    low, high = hard_bound(model, x, noise)[0].mean(0)
    assert low < 0.5 < high
    (pressed, _, *_), (gradient, _, *_) = (gradient_of(terms.loss.mean(), model) for terms in (plain, spared))
    assert (gradient[[0, 2]] == 0).all() and (pressed[[0, 2]] != 0).any()  # mean and log_std of the low unit
    close(gradient[[1, 3]], pressed[[1, 3]])
    close(spared.loss.detach(), 1.5 * (0.5 + high) + plain.reported["distortion"])
    for name, term in plain.reported.items():
        assert torch.equal(spared.reported[name], term)


# Its schedule.


def test_the_objective_schedules_beta_and_its_estimator_the_temperature():
    """Each is a plain function of the step; an estimator without a temperature has none."""
    annealed = ELBO(Concrete(5.0, 0.05, 0.5), beta=2.0, warmup_steps=4, initial_beta=1.0)
    assert annealed.schedule(0) == {"beta": 1.0, "temperature": 5.0}
    assert annealed.schedule(2) == {"beta": 1.5, "temperature": pytest.approx(5 * 0.904837418)}
    assert annealed.schedule(1000) == {"beta": 2.0, "temperature": 0.5}
    assert ELBO(Pathwise()).schedule(7) == {"beta": 1.0}


def test_the_buffers_of_the_estimator_are_those_that_a_checkpoint_names():
    """Checkpoints of earlier versions hold these names."""
    assert set(ELBO(Reinforce("moving_average", 0.9)).state_dict()) == {"estimator.total", "estimator.weight"}
