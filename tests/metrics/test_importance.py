"""log p(x) by importance sampling, against plain loops over recorded noise."""

import itertools
import math

import pytest
import torch
from metrics.joint import B, D, K, every_latent, images, log_mean_exp, log_weight, vae
from metrics.oracles import RecordedNoise, data_of
from models.tables import seeded
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from vae_cli.metrics import bound as evaluate
from vae_cli.metrics.bound import hard_bound, standard_error
from vae_cli.metrics.likelihood import importance_bounds, log_likelihood, nested_levels, nll
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.gaussian import GaussianLatent

pytestmark = pytest.mark.usefixtures("float64")


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
    recorded = RecordedNoise.of(model)
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


def test_the_lowest_level_is_the_mean_log_weight_and_agrees_with_the_bound():
    """Its KL is sampled, that of `hard_bound` in closed form: they differ by noise alone, z ≤ 4 for each image."""
    model, x, samples = vae(GaussianLatent(K)), images(), 20_000
    recorded = RecordedNoise.of(model)
    bound = importance_bounds(model, x, nested_levels(samples), seeded())[0]
    rate, distortion = hard_bound(model, x, torch.cat(recorded.drawn))
    q, z = model.encode(x), model.encode(x).sample(torch.cat(recorded.drawn))
    ratio = (q.log_prob(z) - model.latent.prior(x).log_prob(z)).sum(-1)
    error = ratio.std(0) / math.sqrt(samples)
    assert ((bound + rate.sum(-1) + distortion).abs() <= 4 * error).all()


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


@every_latent
@pytest.mark.parametrize("levels", [lambda samples: (samples,), nested_levels], ids=["one", "nested"])
def test_memory_does_not_grow_with_the_number_of_samples(monkeypatch, latent, levels):
    """The largest tensor is the same at S = 2,000 and 8,000: it has the rows that are decoded at once, or 1,000 weights
    for each image."""
    rows = 200 * B
    monkeypatch.setattr(evaluate, "DECODED_ROWS", rows)
    model, x, largest = vae(latent), images(), []
    recorded = RecordedNoise.of(model)
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
    """More images than one chunk of 128, stored as grey levels; `tick` is called for each."""
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
    """The same at each call, different for another seed, and torch's own generator does not move."""
    model, (data, split) = vae(BernoulliLatent(K)), data_of(images())
    before = torch.get_rng_state()
    first, again, other = (nll(model, data, split, 5, lambda n: None, seed=s)["nll"] for s in (0, 0, 1))
    assert first == again != other
    assert torch.equal(before, torch.get_rng_state())
