"""The figures of an evaluation, each with its unit, how many it is a mean of, its standard error and its meaning."""

import math
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor
from tqdm import tqdm

from vae_cli import codes, evaluate, marginal, probe
from vae_cli.data import Data, Split
from vae_cli.distributions import Bernoulli
from vae_cli.evaluate import standard_error
from vae_cli.view import Subject

NATS = "nats/image"


class Figure(NamedTuple):
    value: float | int
    unit: str
    n: int  # images, unless the meaning says otherwise
    standard_error: float | None  # None: exact for these images
    meaning: str


Figures = dict[str, Figure]


def mean(values: Tensor, meaning: str, unit: str = NATS) -> Figure:
    """Of one value an image, [N]."""
    error = standard_error(values) if len(values) > 1 else None
    return Figure(values.mean().item(), unit, len(values), error, meaning)


def progress(title: str, total: int, unit: str) -> Any:
    return tqdm(total=total, desc=title, unit=unit, disable=None, leave=False, unit_scale=True)


def likelihood(subject: Subject, samples: int, exact: bool, seed: int) -> tuple[Figures, dict[str, Any]]:
    """The bound, its terms and log p(x); and what pictures show of them."""
    vae, data = subject.vae, subject.data
    terms = evaluate.per_image(vae, data, data.test, seed=seed)
    active = evaluate.active_units(terms.means)
    figures: Figures = {}
    view: dict[str, Any] = {"rates": terms.rates.mean(0), "active": active}
    if not vae.latent.has_density:
        view |= {"scores": -terms.distortion, "score_name": "log p(x|z)"}
        figures["distortion"] = mean(terms.distortion, "−log p(x|z) at the code of each image")
    else:
        levels = marginal.nested_levels(samples)
        with progress(f"log p(x), {samples:,} samples", len(data.test.images), "image") as bar:
            bounds = marginal.log_likelihood(vae, data, data.test, levels, bar.update, seed)
        rate, log_px = terms.rates.sum(-1), bounds[-1]
        view |= {
            "scores": log_px,
            "score_name": "log p(x)",
            "levels": dict(zip(levels, bounds.mean(-1).tolist(), strict=True)),
        }
        name = "−log p(x), importance-sampled" if samples > 1 else "−elbo"
        figures["nll"] = mean(-log_px, f"{name}, {samples:,} samples: an upper bound in expectation")
        if exact:
            figures |= _exact(subject, log_px, view)
        if data.entropy is not None:
            best, how = (figures["nll_exact"], "exact nll") if exact else (figures["nll"], "nll")
            n = len(data.test.images)
            figures["entropy"] = Figure(
                data.entropy, NATS, n, None, "of the data's distribution: no model can be below"
            )
            figures["gap"] = Figure(
                best.value - data.entropy, NATS, n, best.standard_error, f"{how} − entropy"
            )
        figures["elbo"] = mean(bounds[0], f"−(rate + distortion), hard codes, {samples:,} samples an image")
        figures["rate"] = mean(rate, "KL(q(z|x) ‖ p(z))")
        figures["distortion"] = mean(-bounds[0] - rate, "−E_q[log p(x|z)]")
        for k, values in zip(levels[1:-1], bounds[1:-1], strict=True):
            figures[f"bound_{k}"] = mean(values, f"bound on log p(x) from {k:,} samples")
    figures["active_units"] = Figure(
        int(active.sum()), "units", len(active), None,
        f"of {len(active)}: posterior mean varies by more than {evaluate.ACTIVE_VARIANCE} (Burda et al., 2016); n counts units",
    )  # fmt: skip
    return figures, view


def _exact(subject: Subject, log_px: Tensor, view: dict[str, Any]) -> Figures:
    vae, data = subject.vae, subject.data
    with progress("exact log p(x)", 2**vae.latent.code_size, "code") as bar:
        exact = marginal.enumerate_codes(vae, data, data.test, bar.update)
    view["exact"] = exact.log_likelihood.mean().item()
    return {
        "nll_exact": mean(
            -exact.log_likelihood, f"−log p(x), all {2**vae.latent.code_size:,} codes enumerated"
        ),
        "inference_gap": mean(
            exact.log_likelihood - exact.elbo, "KL(q(z|x) ‖ p(z|x)): what the encoder loses"
        ),
        "sampling_gap": mean(exact.log_likelihood - log_px, "exact − importance-sampled log p(x)"),
    }


def code(subject: Subject, q: Any, seed: int) -> tuple[Figures, codes.Bits | None]:
    """How the rate splits; of binary codes, how the bits are used."""
    vae, like, n = subject.vae, subject.like, len(subject.data.test.images)
    noise = vae.latent.noise((n,), Generator(like.device).manual_seed(seed + 1), like)
    split = codes.split_rate(q, vae.latent.prior(like.double()), noise)
    figures = {
        "mutual_information": mean(
            split.mutual_information,
            f"I(x; z) of image and code (Hoffman and Johnson, 2016); with {n:,} images at most {math.log(n):.2f}",
        ),
        "marginal_kl": mean(split.marginal_kl, "KL(q(z) ‖ p(z)); with I(x; z) it makes up the rate"),
    }
    if not isinstance(q, Bernoulli):
        return figures, None
    bits = codes.bits(q)
    off_diagonal = bits.correlation - bits.correlation.diag().diag()
    figures["code_entropy"] = mean(
        -split.marginal_log_prob,
        f"of q(z); {len(bits.on)} free bits have {len(bits.on) * math.log(2):.2f}",
        "nats",
    )
    figures["distinct_codes"] = Figure(
        bits.distinct, "codes", n, None, "different most probable codes of the test images"
    )
    figures["largest_correlation"] = Figure(
        off_diagonal.abs().max().item(), "1", n, None, "between two units, in absolute value"
    )
    return figures, bits


def usefulness(subject: Subject, images: int, epochs: int) -> Figures:
    """Classifiers on code means and on pixels, trained on some training images, tested on the test images."""
    vae, data = subject.vae, subject.data

    def examples(split: Split) -> tuple[Tensor, Tensor, Any]:
        assert split.labels is not None
        pixels = torch.cat(list(evaluate.chunks(data, split, 4096, subject.like)))
        return pixels, marginal.posterior(vae, data, split).mean, split.labels.cpu().numpy()

    chosen = torch.randperm(len(data.train.images), generator=Generator().manual_seed(0))[:images]
    train, test = examples(data.train.pick(chosen)), examples(data.test)
    figures, n = {}, len(test[2])
    classifiers = {"logistic": probe.logistic_regression, "neighbours": probe.nearest_neighbours}
    with progress("probes", 4, "classifier") as bar:
        for i, of in ((1, "code"), (0, "pixels")):
            inputs = [probe.Examples(split[i].double().cpu().numpy(), split[2]) for split in (train, test)]
            for name, classify in classifiers.items():
                accuracy = classify(*inputs)
                bar.update()
                what = (
                    "logistic regression" if name == "logistic" else f"{probe.NEIGHBOURS} nearest neighbours"
                )
                figures[f"{of}_{name}"] = Figure(
                    accuracy, "accuracy", n, probe.accuracy_error(accuracy, n),
                    f"{what} on {'code means' if of == 'code' else 'raw pixels'}, {len(train[2]):,} training images",
                )  # fmt: skip
    return figures | (_pixel_classifier(subject, epochs) if epochs else {})


def _pixel_classifier(subject: Subject, epochs: int) -> Figures:
    data = subject.data
    labels = torch.cat([s.labels for s in (data.train, data.validation) if s.labels is not None])
    images = torch.cat([data.train.images, data.validation.images])
    train, test = (data.pixels(i.to(subject.like.device), torch.float32) for i in (images, data.test.images))
    assert data.test.labels is not None
    with progress("pixel classifier", epochs, "epoch") as bar:
        loss, accuracy = probe.pixel_classifier(
            (train, labels.to(train.device)), (test, data.test.labels.to(test.device)), epochs, bar.update
        )
    n, what = (
        len(test),
        f"{train.shape[-1]} – 1000 – {int(labels.max()) + 1}, {len(train):,} images, {epochs} epochs, SGD (Journal Club talk)",
    )
    return {
        "classifier_loss": Figure(loss, "nats/label", n, None, f"test cross-entropy of {what}"),
        "classifier_accuracy": Figure(
            accuracy, "accuracy", n, probe.accuracy_error(accuracy, n), f"of {what}"
        ),
    }


def anomaly(
    subject: Subject, anomalies: Data, scores: Tensor, samples: int, seed: int
) -> tuple[Figures, Tensor]:
    """How well −log p(x) tells the anomalies' test images from the run's, whose log p(x) is `scores` [N]."""
    with progress(f"log p(x) of {subject.anomaly}", len(anomalies.test.images), "image") as bar:
        (found,) = marginal.log_likelihood(
            subject.vae, anomalies, anomalies.test, (samples,), bar.update, seed
        )
    ranking = probe.ranking(-scores.cpu().numpy(), -found.cpu().numpy())
    n, m = len(scores), len(found)
    score = f"−log p(x) of {m:,} images of {subject.anomaly} against the test images"
    return {
        "auroc": Figure(ranking.auroc, "area", n + m, ranking.auroc_error, f"{score}; chance 0.5"),
        "average_precision": Figure(
            ranking.average_precision,
            "precision",
            n + m,
            ranking.average_precision_error,
            f"{score}; chance {m / (n + m):.3f}",
        ),
        "anomaly_nll": mean(-found, f"−log p(x) of {subject.anomaly}, {samples:,} samples"),
    }, found
