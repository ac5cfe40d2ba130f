"""The bound: laws over every latent × estimator × likelihood, what beta weighs, and exact likelihoods."""

import copy
import itertools
import math

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.distributions import MultivariateNormal

from vae_cli.metrics.likelihood import importance_bounds
from vae_cli.models.distributions import Normal
from vae_cli.models.latents import BernoulliLatent, DeterministicLatent, GaussianLatent, Latent
from vae_cli.models.likelihoods import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
    UnitGaussianLikelihood,
)
from vae_cli.models.networks import MLP
from vae_cli.models.vae import VAE
from vae_cli.objectives.elbo import ELBO, hard_bound
from vae_cli.objectives.estimators.pathwise import Pathwise
from vae_cli.objectives.estimators.relaxation import Concrete
from vae_cli.objectives.estimators.score_function import Reinforce
from vae_cli.objectives.estimators.straight_through import StraightThrough

pytestmark = pytest.mark.usefixtures("float64")

ESTIMATORS = {
    "pathwise": Pathwise,
    "concrete": lambda: Concrete(1.0),
    "straight_through": StraightThrough,
    "reinforce": lambda: Reinforce("moving_average", 0.99),
    "reinforce_leave_one_out": lambda: Reinforce("leave_one_out", 0.99),
}
SCORE = ("reinforce", "reinforce_leave_one_out")
PAIRS = [
    *((GaussianLatent, name) for name in ("pathwise", *SCORE)),
    *((BernoulliLatent, name) for name in ("concrete", "straight_through", *SCORE)),
    (DeterministicLatent, "pathwise"),
]
LIKELIHOODS = {
    "bernoulli": BernoulliLikelihood,
    "continuous_bernoulli": ContinuousBernoulliLikelihood,
    "unit_gaussian": UnitGaussianLikelihood,
    "gaussian": lambda: GaussianLikelihood(-4.0),
}
every_pair = pytest.mark.parametrize(
    ("latent", "estimator"), PAIRS, ids=[f"{pair[0].__name__}-{pair[1]}" for pair in PAIRS]
)
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
S, B, K, D = 3, 5, 2, 6


def vae(latent: Latent, likelihood: Likelihood, hidden: tuple[int, ...] = (7,), pixels: int = D) -> VAE:
    torch.manual_seed(0)
    network, shape = MLP(hidden, "tanh", "xavier"), (1, 1, pixels)
    encoder = network.encoder(shape, latent.encoder_outputs)
    return VAE(
        encoder, network.decoder(latent.code_size, shape, likelihood.outputs_per_pixel), latent, likelihood
    )


def images(likelihood: Likelihood, n: int = B, pixels: int = D) -> Tensor:
    x = torch.rand(n, pixels, generator=Generator().manual_seed(1))
    return x.round() if likelihood.is_discrete else x if likelihood.support else 6 * x - 3


def draw(latent: Latent, *shape: int, seed: int = 2) -> Tensor:
    return latent.noise(shape, Generator().manual_seed(seed), torch.zeros(()))


def schedule(beta: float, temperature: float = 0.5) -> dict[str, float]:
    return {"beta": beta, "temperature": temperature}


def gradient_of(loss: Tensor, model: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))


def close(actual: Tensor, expected: Tensor | float, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(
        actual, torch.as_tensor(expected).expand_as(actual), rtol=tolerance, atol=tolerance
    )


# Laws over a table.


@every_pair
@every_likelihood
def test_the_terms_of_every_combination(latent, estimator, likelihood):
    """Shapes [B], finite terms and gradients, rate ≥ 0, the same terms from the same noise, beta weighing nats."""
    parts = LIKELIHOODS[likelihood]()
    model, x = vae(latent(K), parts), images(parts)
    noise, objective = draw(model.latent, S, B), ELBO(ESTIMATORS[estimator]())
    again, pressed = copy.deepcopy(objective), copy.deepcopy(objective)
    terms = objective(model, x, x, noise, schedule(1.0))
    assert tuple(terms.reported) == objective.terms
    for term in (terms.loss, *terms.reported.values()):
        assert term.shape == (B,)
        assert term.isfinite().all()
    for gradient in gradient_of(terms.loss.mean(), model):
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0
    rate, distortion = terms.reported.values()
    assert (rate >= 0).all() if latent is DeterministicLatent else (rate > 0).all()
    assert not rate.requires_grad and not distortion.requires_grad
    same = again(model, x, x, noise, schedule(1.0))
    assert torch.equal(same.loss, terms.loss)
    three = pressed(model, x, x, noise, schedule(3.0))
    for other in (same, three):
        for name, term in terms.reported.items():
            assert torch.equal(term, other.reported[name])
    if estimator != "concrete":
        close(terms.loss.detach(), rate + distortion)
    close((three.loss - terms.loss).detach(), 2 * rate)


@every_pair
@every_likelihood
def test_the_reported_terms_are_the_hard_bound(latent, estimator, likelihood):
    """Whatever was minimized, rate and distortion are those of `hard_bound` at the same noise."""
    parts = LIKELIHOODS[likelihood]()
    model, x = vae(latent(K), parts), images(parts)
    noise = draw(model.latent, S, B)
    terms = ELBO(ESTIMATORS[estimator](), free_bits=0.3)(model, x, x, noise, schedule(0.1, 2.0))
    rate_per_unit, distortion = hard_bound(model, x, noise)
    assert rate_per_unit.shape == (B, K)
    close(terms.reported["rate"], rate_per_unit.sum(-1))
    close(terms.reported["distortion"], distortion)


def test_the_encoder_sees_the_inputs_and_the_likelihood_the_target():
    """A corrupted input changes the posterior, not what is to be reconstructed."""
    model, x = vae(GaussianLatent(K), UnitGaussianLikelihood()), images(UnitGaussianLikelihood())
    inputs, noise = 0 * x, draw(model.latent, S, B)
    terms = ELBO(Pathwise())(model, inputs, x, noise, schedule(1.0)).reported
    q = model.encode(inputs)
    close(terms["rate"], q.kl(model.latent.prior(x)).sum(-1).detach())
    log_prob = Normal(model.decoder(q.sample(noise)), torch.zeros(())).log_prob(x)
    close(terms["distortion"], -log_prob.sum(-1).mean(0).detach())


@pytest.mark.parametrize("latent", [GaussianLatent, BernoulliLatent, DeterministicLatent])
@every_likelihood
def test_a_reconstruction_is_the_mean_image_of_the_most_probable_code(latent, likelihood):
    """Which is a hard one where codes are binary."""
    parts = LIKELIHOODS[likelihood]()
    model, x = vae(latent(K), parts), images(parts)
    h = model.encoder(x)
    code = (h > 0).double() if latent is BernoulliLatent else h[:, :K]
    assert torch.equal(model.reconstruct(x), parts(model.decoder(code)).mean)
    assert torch.equal(model.generate(code), model.reconstruct(x))


# beta = 1 means the same at every code size, image size and batch size.


class Copies(nn.Module):
    """Reads only the first `inputs` numbers, and says each part of its network's answer `copies` times over."""

    def __init__(self, network: nn.Module, inputs: int, copies: int, parts: int) -> None:
        super().__init__()
        self.network, self.inputs, self.copies, self.parts = network, inputs, copies, parts

    def forward(self, v: Tensor) -> Tensor:
        said = self.network(v[..., : self.inputs]).unflatten(-1, (self.parts, -1))
        return torch.cat([said] * self.copies, -1).flatten(-2)


@pytest.mark.parametrize(("latent", "estimator"), [pair for pair in PAIRS if pair[1] not in SCORE])
@every_likelihood
@pytest.mark.parametrize(("units", "pixels"), [(100, 1), (1, 16), (100, 16)])
def test_nats_add_over_units_and_pixels(latent, estimator, likelihood, units, pixels):
    """Code size 2 → 200 multiplies the rate by 100, 8×8 → 32×32 the distortion by 16, and their gradients
    likewise: beta balances the same two numbers of nats at every size."""
    parts, beta = LIKELIHOODS[likelihood](), 0.7
    base = vae(latent(K), parts, pixels=64)
    large = VAE(
        Copies(base.encoder, 64, units, base.latent.encoder_outputs // K),
        Copies(base.decoder, K, pixels, parts.outputs_per_pixel),
        latent(units * K),
        parts,
    )
    x, noise, objective = images(parts, pixels=64), draw(base.latent, S, B), ELBO(ESTIMATORS[estimator]())
    free, full = (objective(base, x, x, noise, schedule(b)) for b in (0.0, 1.0))
    repeated, long_noise = torch.cat([x] * pixels, -1), torch.cat([noise] * units, -1)
    assert repeated.shape == (B, 64 * pixels) and long_noise.shape == (S, B, K * units)
    found = objective(large, repeated, repeated, long_noise, schedule(beta))
    close(found.reported["rate"], units * full.reported["rate"])
    close(found.reported["distortion"], pixels * full.reported["distortion"])
    for gradient, of_distortion, of_both in zip(
        *(gradient_of(terms.loss.mean(), base) for terms in (found, free, full)), strict=True
    ):
        close(gradient, pixels * of_distortion + beta * units * (of_both - of_distortion), 1e-9)


@every_pair
@pytest.mark.parametrize("free_bits", [0.0, 0.3])
def test_a_batch_of_512_weighs_what_a_batch_of_16_does(latent, estimator, free_bits):
    """The same 16 images 32 times over: the same mean loss and the same gradients."""
    model = vae(latent(K), BernoulliLikelihood())
    x, noise = images(BernoulliLikelihood(), 16), draw(model.latent, S, 16)
    small, large = (
        ELBO(ESTIMATORS[estimator](), free_bits=free_bits)(
            model, x.repeat(n, 1), x.repeat(n, 1), noise.repeat(1, n, 1), schedule(0.7)
        ).loss.mean()
        for n in (1, 32)
    )
    close(large, small)
    for here, there in zip(gradient_of(large, model), gradient_of(small, model), strict=True):
        close(here, there)


# Free bits.


def free_bits_model() -> tuple[VAE, Tensor]:
    """Two units, one with a small rate and one with a large; the decoder does not listen to either."""
    model, x = vae(GaussianLatent(2), UnitGaussianLikelihood(), hidden=()), images(UnitGaussianLikelihood())
    with torch.no_grad():
        model.encoder[0].weight.mul_(0.01)
        model.encoder[0].bias.copy_(torch.tensor([0.1, 2.0, 0.0, -0.5]))
        model.decoder[0].weight.zero_()
    return model, x


def test_below_free_bits_a_unit_is_not_pressed_and_above_it_is_as_ever():
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


# Exact: binary codes, enumerated.


def enumerate_codes(model: VAE, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log p(x|z), log p(z|x) and log q(z|x) for all codes [2^K, B]; and so log p(x) is known."""
    codes = torch.tensor(list(itertools.product([0.0, 1.0], repeat=model.latent.code_size)))[:, None]
    conditional = model.decode(codes).log_prob(x).sum(-1)
    return conditional, conditional - codes.shape[-1] * math.log(2), model.encode(x).log_prob(codes).sum(-1)


@every_likelihood
@torch.no_grad()
def test_the_bernoulli_bound_is_log_px_minus_the_kl_to_the_true_posterior(likelihood):
    """Exactly, by enumeration of 16 codes; `hard_bound` over 20,000 noises meets it, z ≤ 4."""
    parts, samples = LIKELIHOODS[likelihood](), 20_000
    model, x = vae(BernoulliLatent(4), parts), images(parts)
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
    terms = ELBO(Concrete(1.0))(model, x, x, draw(model.latent, 100, B), schedule(1.0, 5.0))
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
