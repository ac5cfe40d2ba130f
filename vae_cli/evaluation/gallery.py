"""All pictures of an evaluation in the order of its report, and what each needs of a run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from vae_cli.errors import UserError
from vae_cli.evaluation import charts, images
from vae_cli.evaluation.context import Subject, View

LISTED_UNITS = 8  # all codes of so many bits fit one picture


class Picture(NamedTuple):
    draw: Callable[[View, Path], None]
    caption: str  # how to read it
    needs: str = ""  # in words
    given: Callable[[Subject], bool] = lambda subject: True


def _density(subject: Subject) -> bool:
    return subject.vae.latent.has_density


def _bits(subject: Subject, most: float = float("inf")) -> bool:
    return subject.vae.latent.is_binary and subject.vae.latent.code_size <= most


def _is_plane(subject: Subject) -> bool:
    latent = subject.vae.latent
    return latent.has_density and not latent.is_binary and latent.code_size == 2


STOCHASTIC = "latent=gaussian or latent=bernoulli"
PICTURES: dict[str, Picture] = {  # in the order of the report
    "curves": Picture(
        charts.curves,
        "What training saw, an epoch a point. Where validation falls behind train, the model remembers rather than learns.",
        "epochs in metrics.jsonl",
        lambda subject: any("epoch_elbo" in line for line in subject.metrics),
    ),
    "reconstructions": Picture(
        images.reconstructions,
        "What a code keeps of an image. The sample draws each pixel from the decoder's distribution, as the likelihood means it.",
    ),
    "samples": Picture(images.samples, "What the model believes images to be, before it has seen one."),
    "class_samples": Picture(
        images.class_samples,
        "Each class as one simple distribution of codes, sampled and decoded.",
        "labelled data",
        lambda subject: subject.labels is not None,
    ),
    "scatter": Picture(
        charts.scatter,
        "Where the test images lie in code space. Black lines are the walks of the interpolations.",
        "latent.code_size of at least 2 and two test images",
        lambda subject: subject.vae.latent.code_size > 1 and len(subject.data.test.images) > 1,
    ),
    "plane": Picture(
        images.plane,
        "All of a two-dimensional code at one glance, each cell equally probable under the prior.",
        "latent=gaussian with latent.code_size=2",
        _is_plane,
    ),
    "all_codes": Picture(
        images.all_codes,
        "Everything that the decoder can say.",
        f"latent=bernoulli with at most {LISTED_UNITS} units",
        lambda subject: _bits(subject, LISTED_UNITS),
    ),
    "interpolations": Picture(
        images.interpolations,
        "What lies between two codes. A good code has images there, not overlays.",
        "two test images",
        lambda subject: len(subject.data.test.images) > 1,
    ),
    "traversals": Picture(
        images.traversals,
        "What each unit does to an image, the most informative first. In a difference red is added, blue removed.",
    ),
    "rates": Picture(
        charts.rates, "How many nats each unit carries. A unit near 0 is not used.", STOCHASTIC, _density
    ),
    "bits": Picture(
        charts.bits,
        "A bit that is on half of the time and goes with no other carries most.",
        "latent=bernoulli",
        _bits,
    ),
    "likelihood": Picture(
        charts.likelihood,
        "Which images the model expects. A long left tail is what it never understood.",
        STOCHASTIC,
        _density,
    ),
    "bounds": Picture(
        charts.bounds,
        "More samples bring the bound nearer to log p(x). Where the line is flat, the estimate can be trusted.",
        STOCHASTIC,
        _density,
    ),
    "extremes": Picture(
        images.extremes, "The most and the least expected test images, and what their codes keep."
    ),
    "anomaly": Picture(
        charts.anomaly,
        "How well the likelihood alone tells the two apart; the figures are AUROC and average precision.",
        "anomaly=DATA",
        lambda subject: subject.anomaly is not None,
    ),
}


def requested(names: Sequence[str] | None, subject: Subject) -> list[str]:
    """The pictures asked for, or all that this run can give. Raises UserError for one that it cannot."""
    for name in names or ():
        if not PICTURES[name].given(subject):
            raise UserError(f"pictures={name} cannot be given: it needs {PICTURES[name].needs}")
    return [
        name for name in PICTURES if (name in names if names is not None else PICTURES[name].given(subject))
    ]
