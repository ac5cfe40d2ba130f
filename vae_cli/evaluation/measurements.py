"""The metrics that vae-eval measures. Their units and directions stand in metrics/registry.py."""

import math
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor
from tqdm import tqdm

from vae_cli.data.dataset import Dataset, Split
from vae_cli.evaluation.context import Subject
from vae_cli.metrics import bound as evaluate
from vae_cli.metrics import codes, probes
from vae_cli.metrics import likelihood as marginal
from vae_cli.metrics.bound import standard_error


class Measurement(NamedTuple):
    value: float | int
    n: int  # images, unless the meaning says otherwise
    standard_error: float | None  # None: exact for these images
    meaning: str  # how this value was measured


Measurements = dict[str, Measurement]  # by the names of metrics


def mean(values: Tensor, meaning: str) -> Measurement:
    """Of one value for each image, [N]."""
    error = standard_error(values) if len(values) > 1 else None
    return Measurement(values.mean().item(), len(values), error, meaning)


def progress(title: str, total: int, unit: str) -> Any:
    return tqdm(total=total, desc=title, unit=unit, disable=None, leave=False, unit_scale=True)


def likelihood(subject: Subject, samples: int, exact: bool, seed: int) -> tuple[Measurements, dict[str, Any]]:
    """The bound, its terms and log p(x); and what a View shows of them."""
    terms = evaluate.per_image(subject.vae, subject.data, subject.data.test, seed=seed)
    active = evaluate.active_units(terms.means)
    view: dict[str, Any] = {"rates": terms.rates.mean(0), "active": active}
    if subject.vae.latent.has_density:
        metrics, more = _bounds(subject, terms.rates.sum(-1), samples, exact, seed)
    else:
        metrics = {"distortion": mean(terms.distortion, "−log p(x|z) at the code of each image")}
        more = {"scores": -terms.distortion, "score_name": "log p(x|z)"}
    metrics["active_units"] = Measurement(
        int(active.sum()), len(active), None,
        f"of {len(active)}: posterior mean varies by more than {evaluate.ACTIVE_VARIANCE} (Burda et al., 2016); n counts units",
    )  # fmt: skip
    return metrics, view | more


def _bounds(
    subject: Subject, rate: Tensor, samples: int, exact: bool, seed: int
) -> tuple[Measurements, dict[str, Any]]:
    vae, data = subject.vae, subject.data
    levels, n = marginal.nested_levels(samples), len(data.test.images)
    with progress(f"log p(x), {samples:,} samples", n, "image") as bar:
        bounds = marginal.log_likelihood(vae, data, data.test, levels, bar.update, seed)
    elbo, log_px = bounds[0], bounds[-1]
    shown = {"levels": dict(zip(levels, bounds.mean(-1).tolist(), strict=True))}
    view = {"scores": log_px, "score_name": "log p(x)"} | shown
    name = "−log p(x), importance-sampled" if samples > 1 else "−elbo"
    how = f"{name}, {samples:,} samples: an upper bound in expectation"
    metrics = {"nll": mean(-log_px, how)}
    if exact:
        enumerated = _enumerated(subject, log_px)
        metrics |= enumerated
        view["exact"] = -enumerated["nll_exact"].value
    if data.entropy is not None:
        best = "nll_exact" if exact else "nll"
        gap, error = metrics[best].value - data.entropy, metrics[best].standard_error
        metrics["entropy"] = Measurement(
            data.entropy, n, None, "of the data's distribution: no model can be below"
        )
        metrics["gap"] = Measurement(gap, n, error, f"{best.replace('_', ' ')} − entropy")
    return metrics | {
        "elbo": mean(elbo, f"−(rate + distortion), hard codes, {samples:,} samples an image"),
        "rate": mean(rate, "KL(q(z|x) ‖ p(z))"),
        "distortion": mean(-elbo - rate, "−E_q[log p(x|z)]"),
        **{
            f"bound_{k}": mean(bounds[i], f"bound on log p(x) from {k:,} samples")
            for i, k in enumerate(levels[1:-1], 1)
        },
    }, view


def _enumerated(subject: Subject, log_px: Tensor) -> Measurements:
    count = 2**subject.vae.latent.code_size
    with progress("exact log p(x)", count, "code") as bar:
        exact, elbo = marginal.enumerate_codes(subject.vae, subject.data, subject.data.test, bar.update)
    return {
        "nll_exact": mean(-exact, f"−log p(x), all {count:,} codes enumerated"),
        "inference_gap": mean(exact - elbo, "KL(q(z|x) ‖ p(z|x)): what the encoder loses"),
        "sampling_gap": mean(exact - log_px, "exact − importance-sampled log p(x)"),
    }


def code(subject: Subject, q: Any, seed: int) -> tuple[Measurements, codes.Bits | None]:
    """How the rate splits; of binary codes, how the bits are used."""
    vae, like, n = subject.vae, subject.like, len(subject.data.test.images)
    noise = vae.latent.noise((n,), Generator(like.device).manual_seed(seed + 1), like)
    split = codes.split_rate(q, vae.latent.prior(like.double()), noise)
    metrics = {
        "mutual_information": mean(
            split.mutual_information,
            f"I(x; z) of image and code (Hoffman and Johnson, 2016); with {n:,} images at most {math.log(n):.2f}",
        ),
        "marginal_kl": mean(split.marginal_kl, "KL(q(z) ‖ p(z)); with I(x; z) it makes up the rate"),
    }
    if not vae.latent.is_binary:
        return metrics, None
    bits = codes.bits(q)
    off_diagonal = bits.correlation - bits.correlation.diag().diag()
    metrics["code_entropy"] = mean(
        -split.marginal_log_prob,
        f"of q(z); {len(bits.on)} free bits have {len(bits.on) * math.log(2):.2f}",
    )
    metrics["distinct_codes"] = Measurement(
        bits.distinct, n, None, "different most probable codes of the test images"
    )
    metrics["largest_correlation"] = Measurement(
        off_diagonal.abs().max().item(), n, None, "between two units, in absolute value"
    )
    return metrics, bits


def usefulness(subject: Subject, images: int, epochs: int) -> Measurements:
    """Classifiers on code means and on pixels, trained on some training images, tested on the test images."""
    vae, data = subject.vae, subject.data

    def examples(split: Split) -> tuple[Tensor, Tensor, Any]:
        assert split.labels is not None
        pixels = torch.cat(list(evaluate.chunks(data, split, 4096, subject.like)))
        return pixels, marginal.posterior(vae, data, split).mean, split.labels.cpu().numpy()

    chosen = torch.randperm(len(data.train.images), generator=Generator().manual_seed(0))[:images]
    train, test = examples(data.train.pick(chosen)), examples(data.test)
    metrics: Measurements = {}
    n = len(test[2])
    with progress("probes", 4, "classifier") as bar:
        for i, of, inputs_of in ((1, "code", "code means"), (0, "pixels", "raw pixels")):
            inputs = [probes.Examples(split[i].double().cpu().numpy(), split[2]) for split in (train, test)]
            for name, (classify, what) in probes.CLASSIFIERS.items():
                meaning = f"{what} on {inputs_of}, {len(train[2]):,} training images"
                metrics[f"{of}_{name}"] = accuracy(classify(*inputs), n, meaning)
                bar.update()
    return metrics | (_pixel_classifier(subject, epochs) if epochs else {})


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
    """How well −log p(x) tells the anomalies' test images from the run's, whose log p(x) is `scores` [N]."""
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
