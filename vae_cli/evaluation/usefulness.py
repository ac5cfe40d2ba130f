"""How useful the code and the likelihood are: classifiers on codes, and anomaly detection by the likelihood."""

from typing import Any

import torch
from torch import Generator, Tensor

from vae_cli.data.dataset import Dataset, Split
from vae_cli.evaluation.context import Subject
from vae_cli.evaluation.measurements import Measurement, Measurements, mean, progress
from vae_cli.metrics import bound as evaluate
from vae_cli.metrics import likelihood as marginal
from vae_cli.metrics import probes


def classifiers(subject: Subject, images: int, epochs: int) -> Measurements:
    """Classifiers on code means and on pixels, trained on some training images, tested on the test images."""
    vae, data = subject.vae, subject.data

    def examples(split: Split) -> tuple[Tensor, Tensor, Any]:
        assert split.labels is not None
        pixels = torch.cat(list(evaluate.chunks(data, split, 4096, subject.like)))
        return pixels, marginal.posterior(vae, data, split).mean, split.labels.cpu().numpy()

    chosen = torch.randperm(len(data.train.images), generator=Generator().manual_seed(0))[:images]
    train, test = examples(data.train.pick(chosen)), examples(data.test)
    found: Measurements = {}
    n = len(test[2])
    with progress("probes", 4, "classifier") as bar:
        for i, of, inputs_of in ((1, "code", "code means"), (0, "pixels", "raw pixels")):
            inputs = [probes.Examples(split[i].double().cpu().numpy(), split[2]) for split in (train, test)]
            for name, (classify, what) in probes.CLASSIFIERS.items():
                meaning = f"{what} on {inputs_of}, {len(train[2]):,} training images"
                found[f"{of}_{name}"] = accuracy(classify(*inputs), n, meaning)
                bar.update()
    return found | (_pixel_classifier(subject, epochs) if epochs else {})


def accuracy(value: float, n: int, meaning: str) -> Measurement:
    return Measurement(value, n, probes.accuracy_error(value, n), meaning)


def _pixel_classifier(subject: Subject, epochs: int) -> Measurements:
    data, like = subject.data, subject.like

    def pixels_and_labels(*splits: Split) -> tuple[Tensor, Tensor]:
        images, labels = (
            torch.cat([s.images for s in splits]),
            [s.labels for s in splits if s.labels is not None],
        )
        return data.pixels(images.to(like.device), torch.float32), torch.cat(labels).to(like.device)

    train, test = pixels_and_labels(data.train, data.validation), pixels_and_labels(data.test)
    with progress("pixel classifier", epochs, "epoch") as bar:
        loss, correct = probes.pixel_classifier(train, test, epochs, bar.update)
    classes, n = int(train[1].max()) + 1, len(loss)
    what = f"{train[0].shape[-1]} – 1000 – {classes}, {len(train[0]):,} images, {epochs} epochs, SGD (Journal Club talk)"
    return {
        "classifier_loss": mean(loss, f"test cross-entropy of {what}"),
        "classifier_accuracy": accuracy(correct.mean().item(), n, f"of {what}"),
    }


def anomaly(
    subject: Subject, anomalies: Dataset, scores: Tensor, samples: int, seed: int
) -> tuple[Measurements, Tensor]:
    """How well −log p(x) separates the anomalies' test images from the run's, whose log p(x) is `scores` [N]."""
    with progress(f"log p(x) of {subject.anomaly}", len(anomalies.test.images), "image") as bar:
        (found,) = marginal.log_likelihood(
            subject.vae, anomalies, anomalies.test, (samples,), bar.update, seed
        )
    ranking = probes.ranking(-scores.cpu().numpy(), -found.cpu().numpy())
    n, m = len(scores), len(found)
    score = f"−log p(x) of {m:,} images of {subject.anomaly} against the test images"
    return {
        "auroc": Measurement(ranking.auroc, n + m, ranking.auroc_error, f"{score}; chance 0.5"),
        "average_precision": Measurement(
            ranking.average_precision,
            n + m,
            ranking.average_precision_error,
            f"{score}; chance {m / (n + m):.3f}",
        ),
        "anomaly_nll": mean(-found, f"−log p(x) of {subject.anomaly}, {samples:,} samples"),
    }, found
