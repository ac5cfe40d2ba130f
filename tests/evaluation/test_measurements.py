"""The metrics of an evaluation add up, and each is the mean of the values that it names."""

import math

import pytest
import torch
from evaluation.subjects import K, N, same, tells_images_apart
from models.tables import DISCRETE, WITH_PRIOR, seeded

from vae_cli.evaluation import measurements
from vae_cli.evaluation.measurements import Measurements
from vae_cli.metrics import bound as evaluate
from vae_cli.metrics import codes
from vae_cli.metrics import likelihood as marginal

pytestmark = pytest.mark.usefixtures("float64")

SAMPLES = 30
every_prior = pytest.mark.parametrize("latent", WITH_PRIOR)
every_discrete = pytest.mark.parametrize("latent", DISCRETE)


def likelihood(latent: str, samples: int = SAMPLES, exact: bool = False, **changes: object) -> Measurements:
    return measurements.likelihood(tells_images_apart(latent, **changes), samples, exact, seed=3)[0]


# The likelihood.


@every_prior
@pytest.mark.parametrize("samples", [1, SAMPLES])
def test_elbo_is_minus_rate_and_distortion(latent, samples):
    metrics = likelihood(latent, samples)
    total = metrics["rate"].value + metrics["distortion"].value
    assert metrics["elbo"].value == pytest.approx(-total, rel=1e-12)
    assert metrics["nll"].value <= -metrics["elbo"].value + 1e-12
    if samples == 1:
        assert metrics["nll"].value == pytest.approx(-metrics["elbo"].value, rel=1e-12)
        assert "−elbo" in metrics["nll"].meaning and "bound_1" not in metrics


@every_prior
def test_each_figure_is_the_mean_of_its_images_values_with_their_standard_error(latent):
    """Those of `per_image` and `log_likelihood` at the same seed."""
    of = tells_images_apart(latent)
    metrics, shown = measurements.likelihood(of, SAMPLES, False, seed=3)
    bounds = marginal.log_likelihood(of.vae, of.data, of.data.test, (1, 10, SAMPLES), seed=3)
    terms = evaluate.per_image(of.vae, of.data, of.data.test, seed=3)
    rate = terms.rates.sum(-1)
    same(metrics["nll"], -bounds[2])
    same(metrics["bound_10"], bounds[1])
    same(metrics["elbo"], bounds[0])
    same(metrics["rate"], rate)
    same(metrics["distortion"], -bounds[0] - rate)
    assert metrics["active_units"].value == evaluate.active_units(terms.means, K).sum()
    assert metrics["active_units"].n == K and metrics["active_units"].standard_error is None
    assert shown["levels"] == pytest.approx(
        {1: metrics["elbo"].value, 10: metrics["bound_10"].value, SAMPLES: -metrics["nll"].value}
    )
    torch.testing.assert_close(shown["rates"], terms.rates.mean(0))
    torch.testing.assert_close(shown["scores"], bounds[2])


@every_discrete
def test_the_sampled_distortion_agrees_with_that_of_hard_codes(latent):
    """One estimates −E_q[log p(x|z)] with a sampled rate taken off, the other without: z ≤ 4 of the paired difference."""
    of = tells_images_apart(latent)
    bounds = marginal.log_likelihood(of.vae, of.data, of.data.test, (1, 10, 100, 1000), seed=3)
    terms = evaluate.per_image(of.vae, of.data, of.data.test, samples=1000, seed=4)
    off = -bounds[0] - terms.rates.sum(-1) - terms.distortion
    assert abs(off.mean().item()) <= 4 * evaluate.standard_error(off)


@every_discrete
def test_enumeration_adds_the_exact_figures_and_the_gap_is_then_of_them(latent):
    of = tells_images_apart(latent)
    metrics, shown = measurements.likelihood(of, SAMPLES, True, seed=3)
    sampled = likelihood(latent)
    exact = marginal.enumerate_codes(of.vae, of.data, of.data.test)
    log_px = marginal.log_likelihood(of.vae, of.data, of.data.test, (1, 10, SAMPLES), seed=3)[-1]
    same(metrics["nll_exact"], -exact.log_likelihood)
    same(metrics["inference_gap"], exact.log_likelihood - exact.elbo)
    same(metrics["sampling_gap"], exact.log_likelihood - log_px)
    assert shown["exact"] == pytest.approx(-metrics["nll_exact"].value)
    for found, best in ((metrics, "nll_exact"), (sampled, "nll")):
        assert found["gap"].value == pytest.approx(found[best].value - of.data.entropy)
        assert found["gap"].standard_error == found[best].standard_error
        assert found["entropy"].value == of.data.entropy and found["entropy"].standard_error is None
    assert metrics["gap"].value != sampled["gap"].value
    assert not {"nll_exact", "inference_gap", "sampling_gap"} & set(sampled)


def test_data_of_unknown_entropy_have_no_gap():
    assert not {"gap", "entropy"} & set(likelihood("bernoulli", exact=True, entropy=None))


def test_a_deterministic_code_has_a_distortion_and_no_likelihood():
    of = tells_images_apart("deterministic")
    metrics, shown = measurements.likelihood(of, 0, False, seed=3)
    assert set(metrics) == {"distortion", "active_units"}
    x = of.data.test.images.double()
    log_prob = of.vae.decode(of.vae.encode(x).mode).log_prob(x).sum(-1).detach()
    same(metrics["distortion"], -log_prob)
    torch.testing.assert_close(shown["scores"], log_prob)
    assert "levels" not in shown


# The code.


@every_prior
def test_information_and_marginal_kl_make_up_the_rate(latent):
    """By one code an image, hence with noise: z ≤ 4 of the paired difference."""
    of = tells_images_apart(latent)
    q = marginal.posterior(of.vae, of.data, of.data.test)
    metrics, usage = measurements.code(of, q, seed=3)
    noise = of.vae.latent.noise((N,), seeded(4), of.like)
    split = codes.split_rate(q, of.vae.prior(), noise)
    same(metrics["mutual_information"], split.mutual_information)
    same(metrics["marginal_kl"], split.marginal_kl)
    off = split.mutual_information + split.marginal_kl - of.vae.latent.rate(q).sum(-1)
    assert abs(off.mean().item()) <= 4 * evaluate.standard_error(off)
    assert (usage is not None) == (latent in DISCRETE) == ("code_entropy" in metrics)


@every_discrete
def test_the_entropy_of_discrete_codes_is_what_the_marginal_kl_leaves_of_the_log_of_their_number(latent):
    of = tells_images_apart(latent)
    q = marginal.posterior(of.vae, of.data, of.data.test)
    metrics, usage = measurements.code(of, q, seed=3)
    together = metrics["code_entropy"].value + metrics["marginal_kl"].value
    assert together == pytest.approx(math.log(of.vae.latent.code_count))
    assert f"{together:.2f}" in metrics["code_entropy"].meaning
    assert metrics["code_entropy"].standard_error == pytest.approx(metrics["marginal_kl"].standard_error)
    assert metrics["distinct_codes"].value == usage.distinct == len(q.mode.unique(dim=0))
    pairs = [abs(usage.association[i, j].item()) for i in range(K) for j in range(i)]
    assert metrics["largest_correlation"].value == pytest.approx(max(pairs))
