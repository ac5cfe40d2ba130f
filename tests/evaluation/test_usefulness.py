"""What a code and a likelihood are good for: each figure is that of the images and classifiers that it names."""

import pytest
import torch
from evaluation.subjects import N, same, tells_images_apart
from models.tables import seeded

from vae_cli.data.dataset import Dataset, Split
from vae_cli.evaluation import usefulness
from vae_cli.metrics import likelihood as marginal
from vae_cli.metrics import probes

pytestmark = pytest.mark.usefixtures("float64")

SAMPLES = 30


def test_accuracies_are_of_the_test_images_and_use_the_given_number_of_training_images():
    of = tells_images_apart("gaussian")
    metrics = usefulness.classifiers(of, 100, 0)
    assert set(metrics) == {f"{a}_{b}" for a in ("code", "pixels") for b in ("logistic", "neighbours")}
    for measured in metrics.values():
        assert measured.n == N and "100 training images" in measured.meaning
        assert measured.standard_error == pytest.approx(probes.accuracy_error(measured.value, N))
    chosen = torch.randperm(len(of.data.train.images), generator=seeded())[:100]
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
    of = tells_images_apart("gaussian")
    metrics = usefulness.classifiers(of, 100, 3)
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
    of = tells_images_apart("bernoulli")
    (scores,) = marginal.log_likelihood(of.vae, of.data, of.data.test, (SAMPLES,), seed=3)
    metrics, found = usefulness.anomaly(of, of.data, scores, SAMPLES, seed=3)
    assert torch.equal(found, scores)
    assert metrics["auroc"].value == pytest.approx(0.5)
    assert metrics["auroc"].n == 2 * N and 0 < metrics["auroc"].standard_error < 0.1
    same(metrics["anomaly_nll"], -scores)


def test_images_that_the_model_finds_improbable_rank_above_the_test_images():
    """Noise against a decoder that returns black: AUROC 1, because anomalies have the higher −log p(x)."""
    of = tells_images_apart("bernoulli")
    with torch.no_grad():
        of.vae.decoder[-1].bias.fill_(-8.0)
    noise = Split((torch.rand(25, 36, generator=seeded()) < 0.9).to(torch.uint8))
    anomalies = Dataset(noise, noise, noise, of.data.shape)
    (scores,) = marginal.log_likelihood(of.vae, of.data, of.data.test, (SAMPLES,), seed=3)
    metrics, found = usefulness.anomaly(of, anomalies, scores, SAMPLES, seed=3)
    assert metrics["auroc"].value == pytest.approx(1.0)
    assert metrics["average_precision"].value == pytest.approx(1.0)
    assert metrics["anomaly_nll"].value == pytest.approx(-found.mean().item())
    assert metrics["anomaly_nll"].n == 25
