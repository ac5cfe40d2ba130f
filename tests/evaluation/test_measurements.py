"""The metrics of an evaluation add up, and each is the mean of the values that it names."""

import math

import pytest
import torch
from torch import Generator, Tensor

from vae_cli.data.dataset import Dataset, Split
from vae_cli.data.rectangles import rectangles
from vae_cli.evaluation import measurements
from vae_cli.evaluation.context import Subject
from vae_cli.evaluation.measurements import Measurements
from vae_cli.metrics import bound as evaluate
from vae_cli.metrics import codes, probes
from vae_cli.metrics import likelihood as marginal
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.contract import Latent
from vae_cli.models.latents.deterministic import DeterministicLatent
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.models.likelihoods import BernoulliLikelihood
from vae_cli.models.networks import MLP
from vae_cli.models.vae import VAE

pytestmark = pytest.mark.usefixtures("float64")

K, N, SAMPLES = 4, 60, 30
every_density = pytest.mark.parametrize(
    "latent", [GaussianLatent(K), BernoulliLatent(K)], ids=["gaussian", "bernoulli"]
)


def subject(latent: Latent, **changes: object) -> Subject:
    """An untrained model that tells images apart, beside labelled rectangles."""
    data = rectangles(6, 6, (1, 4), (1, 4), 150, 20, N, seed=0)
    data = data._replace(
        **{name: labelled(getattr(data, name)) for name in ("train", "validation", "test")}, **changes
    )
    torch.manual_seed(0)
    network = MLP((7,), "tanh", "xavier")
    encoder = network.encoder(data.shape, latent.encoder_outputs)
    vae = VAE(encoder, network.decoder(K, data.shape, 1), latent, BernoulliLikelihood())
    with torch.no_grad():
        encoder[-1].weight.mul_(2)
    return Subject(vae, data)


def labelled(split: Split) -> Split:
    """By whether the rectangle covers more than 6 pixels."""
    return Split(split.images, (split.images.sum(1) > 6).long())


def same(measured: measurements.Measurement, values: Tensor) -> None:
    """Mean, number and std / √n of one value for each image."""
    assert measured.n == len(values)
    assert measured.value == pytest.approx(values.mean().item(), rel=1e-9)
    assert measured.standard_error == pytest.approx(values.std().item() / math.sqrt(len(values)), rel=1e-9)


def likelihood(
    latent: Latent, samples: int = SAMPLES, exact: bool = False, **changes: object
) -> Measurements:
    return measurements.likelihood(subject(latent, **changes), samples, exact, seed=3)[0]


# The likelihood.


@every_density
@pytest.mark.parametrize("samples", [1, SAMPLES])
def test_elbo_is_minus_rate_and_distortion(latent, samples):
    metrics = likelihood(latent, samples)
    total = metrics["rate"].value + metrics["distortion"].value
    assert metrics["elbo"].value == pytest.approx(-total, rel=1e-12)
    assert metrics["nll"].value <= -metrics["elbo"].value + 1e-12
    if samples == 1:
        assert metrics["nll"].value == pytest.approx(-metrics["elbo"].value, rel=1e-12)
        assert "−elbo" in metrics["nll"].meaning and "bound_1" not in metrics


@every_density
def test_each_figure_is_the_mean_of_its_images_values_with_their_standard_error(latent):
    """Those of `per_image` and `log_likelihood` at the same seed."""
    of = subject(latent)
    metrics, view = measurements.likelihood(of, SAMPLES, False, seed=3)
    bounds = marginal.log_likelihood(of.vae, of.data, of.data.test, (1, 10, SAMPLES), seed=3)
    terms = evaluate.per_image(of.vae, of.data, of.data.test, seed=3)
    rate = terms.rates.sum(-1)
    same(metrics["nll"], -bounds[2])
    same(metrics["bound_10"], bounds[1])
    same(metrics["elbo"], bounds[0])
    same(metrics["rate"], rate)
    same(metrics["distortion"], -bounds[0] - rate)
    assert metrics["active_units"].value == evaluate.active_units(terms.means).sum()
    assert metrics["active_units"].n == K and metrics["active_units"].standard_error is None
    assert view["levels"] == pytest.approx(
        {1: metrics["elbo"].value, 10: metrics["bound_10"].value, SAMPLES: -metrics["nll"].value}
    )
    torch.testing.assert_close(view["rates"], terms.rates.mean(0))
    torch.testing.assert_close(view["scores"], bounds[2])


def test_the_sampled_distortion_agrees_with_that_of_hard_codes():
    """One estimates −E_q[log p(x|z)] with a sampled rate taken off, the other without: z ≤ 4 of the paired difference."""
    of = subject(BernoulliLatent(K))
    bounds = marginal.log_likelihood(of.vae, of.data, of.data.test, (1, 10, 100, 1000), seed=3)
    terms = evaluate.per_image(of.vae, of.data, of.data.test, samples=1000, seed=4)
    off = -bounds[0] - terms.rates.sum(-1) - terms.distortion
    assert abs(off.mean().item()) <= 4 * evaluate.standard_error(off)


def test_enumeration_adds_the_exact_figures_and_the_gap_is_then_of_them():
    of = subject(BernoulliLatent(K))
    metrics, view = measurements.likelihood(of, SAMPLES, True, seed=3)
    sampled = likelihood(BernoulliLatent(K))
    exact = marginal.enumerate_codes(of.vae, of.data, of.data.test)
    log_px = marginal.log_likelihood(of.vae, of.data, of.data.test, (1, 10, SAMPLES), seed=3)[-1]
    same(metrics["nll_exact"], -exact.log_likelihood)
    same(metrics["inference_gap"], exact.log_likelihood - exact.elbo)
    same(metrics["sampling_gap"], exact.log_likelihood - log_px)
    assert view["exact"] == pytest.approx(-metrics["nll_exact"].value)
    for found, best in ((metrics, "nll_exact"), (sampled, "nll")):
        assert found["gap"].value == pytest.approx(found[best].value - of.data.entropy)
        assert found["gap"].standard_error == found[best].standard_error
        assert found["entropy"].value == of.data.entropy and found["entropy"].standard_error is None
    assert metrics["gap"].value != sampled["gap"].value
    assert not {"nll_exact", "inference_gap", "sampling_gap"} & set(sampled)


def test_data_of_unknown_entropy_have_no_gap():
    assert not {"gap", "entropy"} & set(likelihood(BernoulliLatent(K), exact=True, entropy=None))


def test_a_deterministic_code_has_a_distortion_and_no_likelihood():
    of = subject(DeterministicLatent(K))
    metrics, view = measurements.likelihood(of, 0, False, seed=3)
    assert set(metrics) == {"distortion", "active_units"}
    x = of.data.test.images.double()
    log_prob = of.vae.decode(of.vae.encode(x).mode).log_prob(x).sum(-1).detach()
    same(metrics["distortion"], -log_prob)
    torch.testing.assert_close(view["scores"], log_prob)
    assert "levels" not in view


# The code.


@every_density
def test_information_and_marginal_kl_make_up_the_rate(latent):
    """By one code an image, hence with noise: z ≤ 4 of the paired difference."""
    of = subject(latent)
    q = marginal.posterior(of.vae, of.data, of.data.test)
    metrics, bits = measurements.code(of, q, seed=3)
    noise = latent.noise((N,), Generator().manual_seed(4), torch.zeros(()))
    split = codes.split_rate(q, latent.prior(torch.zeros(())), noise)
    same(metrics["mutual_information"], split.mutual_information)
    same(metrics["marginal_kl"], split.marginal_kl)
    rate = q.kl(latent.prior(torch.zeros(()))).sum(-1)
    off = split.mutual_information + split.marginal_kl - rate
    assert abs(off.mean().item()) <= 4 * evaluate.standard_error(off)
    assert (bits is not None) == latent.is_binary == ("code_entropy" in metrics)


def test_the_entropy_of_binary_codes_is_what_the_marginal_kl_leaves_of_k_log_2():
    of = subject(BernoulliLatent(K))
    q = marginal.posterior(of.vae, of.data, of.data.test)
    metrics, bits = measurements.code(of, q, seed=3)
    assert metrics["code_entropy"].value + metrics["marginal_kl"].value == pytest.approx(K * math.log(2))
    assert metrics["code_entropy"].standard_error == pytest.approx(metrics["marginal_kl"].standard_error)
    assert metrics["distinct_codes"].value == bits.distinct == len(q.mode.unique(dim=0))
    pairs = [abs(bits.correlation[i, j].item()) for i in range(K) for j in range(i)]
    assert metrics["largest_correlation"].value == pytest.approx(max(pairs))


# Its use.


def test_accuracies_are_of_the_test_images_by_so_many_training_images_in_no_order():
    of = subject(GaussianLatent(K))
    metrics = measurements.usefulness(of, 100, 0)
    assert set(metrics) == {f"{a}_{b}" for a in ("code", "pixels") for b in ("logistic", "neighbours")}
    for measured in metrics.values():
        assert measured.n == N and "100 training images" in measured.meaning
        assert measured.standard_error == pytest.approx(probes.accuracy_error(measured.value, N))
    chosen = torch.randperm(len(of.data.train.images), generator=torch.Generator().manual_seed(0))[:100]
    train, test = of.data.train.pick(chosen), of.data.test
    pixels = [probes.Examples(s.images.double().numpy(), s.labels.numpy()) for s in (train, test)]
    means = [
        probes.Examples(marginal.posterior(of.vae, of.data, s).mean.numpy(), s.labels.numpy())
        for s in (train, test)
    ]
    assert metrics["pixels_neighbours"].value == probes.nearest_neighbours(*pixels)
    assert metrics["code_neighbours"].value == probes.nearest_neighbours(*means)
    assert metrics["code_logistic"].value == probes.logistic_regression(*means)


def test_the_pixel_classifier_is_trained_on_training_and_validation_images():
    of = subject(GaussianLatent(K))
    metrics = measurements.usefulness(of, 100, 3)
    images, labels = (
        torch.cat([getattr(split, name) for split in (of.data.train, of.data.validation)])
        for name in ("images", "labels")
    )
    test = of.data.test.images.float(), of.data.test.labels
    losses, correct = probes.pixel_classifier((images.float(), labels), test, 3, lambda n: None)
    loss, accuracy = losses.mean().item(), correct.mean().item()
    assert metrics["classifier_loss"].value == pytest.approx(loss, rel=1e-5)
    assert metrics["classifier_accuracy"].value == pytest.approx(accuracy)
    assert metrics["classifier_accuracy"].standard_error == pytest.approx(probes.accuracy_error(accuracy, N))
    assert metrics["classifier_loss"].standard_error == pytest.approx(losses.std().item() / N**0.5, rel=1e-4)
    assert "170 images" in metrics["classifier_loss"].meaning


def test_anomalies_that_are_the_test_images_themselves_rank_at_chance():
    """The same images, seed and samples: every score has its equal."""
    of = subject(BernoulliLatent(K))
    (scores,) = marginal.log_likelihood(of.vae, of.data, of.data.test, (SAMPLES,), seed=3)
    metrics, found = measurements.anomaly(of, of.data, scores, SAMPLES, seed=3)
    assert torch.equal(found, scores)
    assert metrics["auroc"].value == pytest.approx(0.5)
    assert metrics["auroc"].n == 2 * N and 0 < metrics["auroc"].standard_error < 0.1
    same(metrics["anomaly_nll"], -scores)


def test_images_the_model_finds_unlikely_rank_above_the_test_images():
    """Noise is no rectangle to a decoder that says black: AUROC 1, and a higher −log p(x) is the anomaly's."""
    of = subject(BernoulliLatent(K))
    with torch.no_grad():
        of.vae.decoder[-1].bias.fill_(-8.0)
    noise = Split((torch.rand(25, 36, generator=Generator().manual_seed(0)) < 0.9).to(torch.uint8))
    anomalies = Dataset(noise, noise, noise, of.data.shape)
    (scores,) = marginal.log_likelihood(of.vae, of.data, of.data.test, (SAMPLES,), seed=3)
    metrics, found = measurements.anomaly(of, anomalies, scores, SAMPLES, seed=3)
    assert metrics["auroc"].value == pytest.approx(1.0)
    assert metrics["average_precision"].value == pytest.approx(1.0)
    assert metrics["anomaly_nll"].value == pytest.approx(-found.mean().item())
    assert metrics["anomaly_nll"].n == 25
