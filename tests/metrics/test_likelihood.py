"""log p(x): importance sampling against plain loops over recorded noise, enumeration against brute force, and both
against each other on a trained model. (The linear-Gaussian closed form is met in test_objective.)"""

import copy
import itertools
import math

import pytest
import torch
from metrics.oracles import SHAPE, RecordedNoise, data_of, posterior_and_prior
from models import tables
from models.tables import DISCRETE, LATENTS, WITH_PRIOR, seeded
from torch import Tensor
from torch import distributions as oracle
from torch.utils._python_dispatch import TorchDispatchMode

from vae_cli.data.dataset import Dataset
from vae_cli.data.rectangles import rectangles
from vae_cli.metrics import bound as evaluate
from vae_cli.metrics import likelihood as marginal
from vae_cli.metrics.bound import hard_bound, standard_error
from vae_cli.metrics.likelihood import (
    enumerate_codes,
    importance_bounds,
    is_enumerable,
    log_likelihood,
    nested_levels,
    nll,
)
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.categorical import CategoricalLatent
from vae_cli.models.latents.contract import Latent
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.models.likelihoods import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
    UnitGaussianLikelihood,
)
from vae_cli.models.networks import MLP
from vae_cli.models.vae import VAE
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.relaxation import Concrete

pytestmark = pytest.mark.usefixtures("float64")

B, D, K = 3, 6, 2
LIKELIHOODS = {
    "bernoulli": (BernoulliLikelihood(), lambda h: oracle.Bernoulli(logits=h)),
    "continuous_bernoulli": (
        ContinuousBernoulliLikelihood(),
        lambda h: oracle.ContinuousBernoulli(logits=h),
    ),
    "gaussian": (
        GaussianLikelihood(None),
        lambda h: oracle.Normal(h.chunk(2, -1)[0], h.chunk(2, -1)[1].exp()),
    ),
    "unit_gaussian": (UnitGaussianLikelihood(), lambda h: oracle.Normal(h, 1.0)),
}
BERNOULLI = LIKELIHOODS["bernoulli"]
every_latent = pytest.mark.parametrize("latent", [LATENTS[name](K) for name in WITH_PRIOR], ids=WITH_PRIOR)
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)


def vae(latent: Latent, likelihood: Likelihood = BERNOULLI[0]) -> VAE:
    return tables.vae(latent, likelihood, SHAPE)


def images(n: int = B, likelihood: Likelihood = BERNOULLI[0]) -> Tensor:
    return tables.images(likelihood, n, SHAPE)


def log_weight(model: VAE, x: Tensor, z: Tensor, observation=BERNOULLI[1]) -> float:
    """log p(x, z) / q(z|x) of one image and one code, by oracles."""
    q, prior = posterior_and_prior(model, x)
    log_p = observation(model.decoder(z)).log_prob(x).sum() + prior.log_prob(z).sum()
    return (log_p - q.log_prob(z).sum()).item()


def log_mean_exp(values: list[float]) -> float:
    return math.log(math.fsum(math.exp(v) for v in values) / len(values))


# By importance sampling.


@pytest.mark.parametrize(
    ("samples", "levels"),
    [
        (1, (1,)),
        (7, (1, 7)),
        (250, (1, 10, 250)),
        (1000, (1, 10, 100, 1000)),
        (5000, (1, 10, 100, 1000, 5000)),
        (10_000, (1, 10, 100, 1000, 10_000)),
    ],
)
def test_levels_are_powers_of_ten_that_divide_the_samples_and_each_other(samples, levels):
    assert nested_levels(samples) == levels
    assert all(after % before == 0 for before, after in itertools.pairwise(levels))


@every_latent
@pytest.mark.parametrize("levels", [(12,), (1, 12), (1, 2, 6, 12), (6, 12)])
@pytest.mark.parametrize("rows", [1, 3 * B, 10**6])
def test_importance_bounds_are_a_plain_double_loop_however_they_are_chunked(
    monkeypatch, latent, levels, rows
):
    """At level k, the mean over S / k groups of log 1/k Σ p(x, z_s) / q(z_s|x), by oracles, of the same noise."""
    monkeypatch.setattr(evaluate, "DECODED_ROWS", rows)
    model, x, samples = vae(latent), images(), 12
    model.latent = recorded = RecordedNoise(latent)
    found = importance_bounds(model, x, levels, seeded())
    noise = torch.cat(recorded.drawn)
    assert noise.shape == (samples, B, latent.decoder_inputs)
    assert found.shape == (len(levels), B)
    for i in range(B):
        q = model.encode(x[i])
        weights = [log_weight(model, x[i], q.sample(noise[s, i])) for s in range(samples)]
        for level, k in zip(found, levels, strict=True):
            groups = [log_mean_exp(weights[first : first + k]) for first in range(0, samples, k)]
            assert level[i].item() == pytest.approx(math.fsum(groups) / len(groups), rel=1e-10)


@every_latent
@pytest.mark.parametrize("samples", [7, 250, 2000])
def test_no_level_is_below_the_one_before_it_for_any_image(latent, samples):
    """Not only on average: the groups of one level are cut from those of the next. 1e-9 is for rounding."""
    model, x = vae(latent), images(20)
    with torch.no_grad():
        model.encoder[-1].bias.add_(1.0)  # a worse posterior, so that the levels differ
    bounds = importance_bounds(model, x, nested_levels(samples), seeded())
    rises = bounds.diff(dim=0)
    assert (rises >= -1e-9).all()
    assert (rises.mean(1) > 1e-4).all()


def test_the_lowest_level_is_the_mean_log_weight_and_meets_the_bound():
    """Its KL is sampled, that of `hard_bound` in closed form: they differ by noise alone, z ≤ 4 for each image."""
    model, x, samples = vae(GaussianLatent(K)), images(), 20_000
    model.latent = recorded = RecordedNoise(model.latent)
    bound = importance_bounds(model, x, nested_levels(samples), seeded())[0]
    rate, distortion = hard_bound(model, x, torch.cat(recorded.drawn))
    q, z = model.encode(x), model.encode(x).sample(torch.cat(recorded.drawn))
    ratio = (q.log_prob(z) - model.latent.prior(x).log_prob(z)).sum(-1)
    error = ratio.std(0) / math.sqrt(samples)
    assert ((bound + rate.sum(-1) + distortion).abs() <= 4 * error).all()


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation answers with."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        answer = function(*args, **(kwargs or {}))
        for tensor in answer if isinstance(answer, tuple | list) else (answer,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return answer


@every_latent
@pytest.mark.parametrize("levels", [lambda samples: (samples,), nested_levels], ids=["one", "nested"])
def test_memory_does_not_grow_with_the_number_of_samples(monkeypatch, latent, levels):
    """The largest tensor is the same at S = 2,000 and 8,000: of so many rows as are decoded at once, or of 1,000
    weights for each image."""
    rows = 200 * B
    monkeypatch.setattr(evaluate, "DECODED_ROWS", rows)
    model, x, largest = vae(latent), images(), []
    model.latent = recorded = RecordedNoise(latent)
    for samples in (2000, 8000):
        with Largest() as mode:
            importance_bounds(model, x, levels(samples), seeded())
        largest.append(mode.elements)
    assert largest[0] == largest[1] == max(7 * rows, 1000 * B)  # no layer or code is wider than 7
    assert max(noise.shape[:-1].numel() for noise in recorded.drawn) == rows


def test_the_importance_bound_tightens_with_samples_and_stays_below_the_likelihood():
    """On average over 4,000 estimates: up with S and below log p(x), both by z ≥ 4; the gap falls about as 1/S."""
    model, x = vae(BernoulliLatent(K)), images(1)
    codes = torch.tensor(list(itertools.product([0.0, 1.0], repeat=K)))
    joint = model.decode(codes).log_prob(x).sum(-1) - K * math.log(2)
    with torch.no_grad():
        model.encoder[-1].bias.add_(1.5)  # a worse posterior, so that there is something to tighten
    n, exact = 4000, joint.logsumexp(0).item()
    rows = x.expand(n, D)
    estimates = [importance_bounds(model, rows, (s,), seeded(s))[0] for s in (1, 3, 9)]
    errors = [standard_error(e) for e in estimates]
    for i, (estimate, error) in enumerate(zip(estimates, errors, strict=True)):
        assert exact - estimate.mean() >= 4 * error
        if i:
            assert estimate.mean() - estimates[i - 1].mean() >= 4 * math.hypot(error, errors[i - 1])
    assert exact - estimates[-1].mean() < (exact - estimates[0].mean()) / 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_likelihood_is_the_bounds_of_all_images_in_float64(dtype):
    """More images than one chunk of 128, stored as grey levels; `tick` hears of each."""
    model, x, ticks = vae(GaussianLatent(K)).to(dtype), images(150), []
    found = log_likelihood(model, *data_of((255 * x).to(torch.uint8), 1 / 255), (1, 4), ticks.append, 3)
    generator = seeded(3)
    parts = [importance_bounds(model, part, (1, 4), generator) for part in x.to(dtype).split(128)]
    assert ticks == [128, 22]
    assert found.shape == (2, 150) and found.dtype == torch.float64
    torch.testing.assert_close(found, torch.cat(parts, 1).double(), rtol=1e-6, atol=0)


def test_nll_is_minus_the_mean_log_likelihood_of_all_images():
    model, x, ticks = vae(GaussianLatent(K)), images(150), []
    figures = nll(model, *data_of(x), 20, ticks.append, seed=3)
    (values,) = log_likelihood(model, *data_of(x), (20,), seed=3)
    assert ticks == [128, 22]
    assert figures == {
        "nll": pytest.approx(-values.mean().item()),
        "nll_standard_error": pytest.approx(values.std().item() / math.sqrt(150)),
        "nll_samples": 20,
    }


def test_nll_uses_its_own_generator():
    """The same at each call, another for another seed, and nothing is taken from torch's own."""
    model, (data, split) = vae(BernoulliLatent(K)), data_of(images())
    before = torch.get_rng_state()
    first, again, other = (nll(model, data, split, 5, lambda n: None, seed=s)["nll"] for s in (0, 0, 1))
    assert first == again != other
    assert torch.equal(before, torch.get_rng_state())


# By enumeration.


def all_codes(latent: Latent) -> list[Tensor]:
    """Bits as they are, values as one-hot vectors in category-major order."""
    values = list(itertools.product(range(latent.values_per_unit), repeat=latent.code_size))
    if latent.name == "bernoulli":
        return list(torch.tensor(values, dtype=torch.get_default_dtype()))
    hot = torch.eye(latent.values_per_unit)
    return [hot[torch.tensor(each)].T.flatten() for each in values]


def brute_force(model: VAE, x: Tensor, observation) -> tuple[list[float], list[float], list[float]]:
    """log p(x), the bound and KL(q(z|x) ‖ p(z|x)) of each image, by loops over images and codes, and oracles."""
    log_px, elbo, kl = [], [], []
    for image in x:
        q, prior = posterior_and_prior(model, image)
        joint, log_q = [], []
        for z in all_codes(model.latent):
            log_p = observation(model.decoder(z)).log_prob(image).sum() + prior.log_prob(z).sum()
            joint.append(log_p.item())
            log_q.append(q.log_prob(z).sum().item())
        log_px.append(math.log(math.fsum(math.exp(j) for j in joint)))
        pairs = list(zip(joint, log_q, strict=True))
        elbo.append(math.fsum(math.exp(b) * (a - b) for a, b in pairs))
        kl.append(math.fsum(math.exp(b) * (b - (a - log_px[-1])) for a, b in pairs))
    return log_px, elbo, kl


@every_likelihood
@pytest.mark.parametrize("at_once", [1, 3, 2048])
@pytest.mark.parametrize("name", DISCRETE)
@torch.no_grad()
def test_enumeration_is_brute_force_however_it_is_chunked(monkeypatch, likelihood, at_once, name):
    """Of codes as of images: 5 images and 8 or 9 codes, by 1, by 3 and all at once. `tick` is called for each code."""
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


@every_likelihood
@torch.no_grad()
def test_the_inference_gap_is_the_kl_to_the_true_posterior(likelihood):
    parts, observation = LIKELIHOODS[likelihood]
    model, x = vae(BernoulliLatent(3), parts), images(5, parts)
    exact = enumerate_codes(model, *data_of(x))
    gap = exact.log_likelihood - exact.elbo
    assert (gap >= 0).all()
    assert gap.tolist() == pytest.approx(brute_force(model, x, observation)[2], rel=1e-9)


def test_the_inference_gap_is_nothing_where_the_code_is_not_read_and_the_encoder_says_the_prior():
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


def test_what_has_no_prior_or_no_countable_codes_is_refused_by_name():
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


# A trained model: the two ways meet.


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


def test_training_has_taught_the_model_something(trained):
    """Else the comparison below says little: log p(x) is above that of independent pixels by 3 nats, and not above
    the entropy; the posterior is not the prior."""
    model, data = trained
    exact = enumerate_codes(model, data, data.test)
    rate = data.train.images.double().mean(0).clamp(1e-3, 1 - 1e-3)
    independent = oracle.Bernoulli(rate).log_prob(data.test.images.double()).sum(-1)
    assert exact.log_likelihood.mean() > independent.mean() + 3
    assert -exact.log_likelihood.mean() > data.entropy
    assert (exact.log_likelihood - exact.elbo).min() >= 0
    assert model.latent.rate(marginal.posterior(model, data, data.test)).sum(-1).min() > 1


def test_importance_sampling_meets_the_enumeration_of_a_trained_model(trained):
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
