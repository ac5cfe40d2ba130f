"""All pictures of an evaluation in the order of its report, and what each needs of a run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from vae_cli.errors import UserError
from vae_cli.evaluation import charts, code_space, images
from vae_cli.evaluation.context import Context, Subject

LISTED_CODES = 256  # so many codes fit one picture


class Picture(NamedTuple):
    draw: Callable[[Context, Path], None]
    caption: str  # how to read it
    needs: str = ""  # in words
    possible: Callable[[Subject], bool] = lambda subject: True


def _has_prior(subject: Subject) -> bool:
    return subject.vae.prior() is not None


def _has_plane(subject: Subject) -> bool:
    return subject.vae.latent.plane(1, subject.like) is not None


def _has_few_codes(subject: Subject) -> bool:
    count = subject.vae.latent.code_count
    return count is not None and count <= LISTED_CODES


PRIOR = "a latent with a prior"
PICTURES: dict[str, Picture] = {  # in the order of the report
    "curves": Picture(
        charts.curves,
        "One point per epoch. Where the validation curve falls behind the training curve, the model overfits.",
        "epochs in metrics.jsonl",
        lambda subject: any("epoch_elbo" in line for line in subject.metrics),
    ),
    "reconstructions": Picture(
        images.reconstructions,
        "What is left of an image after encoding and decoding. The sample draws each pixel from the decoder's distribution.",
    ),
    "samples": Picture(images.samples, "Images that the model generates without an input."),
    "class_samples": Picture(
        images.class_samples,
        "The codes of each class as one simple distribution, sampled and decoded.",
        "labelled data",
        lambda subject: subject.labels is not None,
    ),
    "scatter": Picture(
        charts.scatter,
        "Where the test images lie in code space. Black lines are the paths of the interpolations.",
        "a code of at least two numbers and two test images",
        lambda subject: subject.vae.latent.decoder_inputs > 1 and len(subject.data.test.images) > 1,
    ),
    "plane": Picture(
        code_space.plane,
        "The whole of a two-dimensional code. All cells are equally probable under the prior.",
        "a continuous code of two units: latent=gaussian with latent.code_size=2",
        _has_plane,
    ),
    "all_codes": Picture(
        code_space.all_codes,
        "Every image that the decoder can produce.",
        f"a discrete code with at most {LISTED_CODES} values: latent=bernoulli with at most 8 units, for example",
        _has_few_codes,
    ),
    "interpolations": Picture(
        code_space.interpolations,
        "What lies between two codes. A good code decodes to plausible images there, not to two images laid over each other.",
        "two test images",
        lambda subject: len(subject.data.test.images) > 1,
    ),
    "traversals": Picture(
        code_space.traversals,
        "What each unit changes in an image, the most informative unit first. In a difference, red is added and blue is removed.",
    ),
    "rates": Picture(
        charts.rates,
        "How many nats of information each unit carries. A unit near 0 is not used.",
        PRIOR,
        _has_prior,
    ),
    "bits": Picture(
        charts.usage,
        "How often each unit takes each value. Units carry most information if their values are equally frequent and independent of other units.",
        "a discrete code: latent=bernoulli, for example",
        lambda subject: subject.vae.latent.values_per_unit is not None,
    ),
    "likelihood": Picture(
        charts.likelihood,
        "How probable the model finds the test images. A long left tail holds images that it models badly.",
        PRIOR,
        _has_prior,
    ),
    "bounds": Picture(
        charts.bounds,
        "More samples bring the bound nearer to log p(x). Where the line is flat, the estimate is reliable.",
        PRIOR,
        _has_prior,
    ),
    "extremes": Picture(
        images.extremes,
        "The test images that the model finds most and least probable, and their reconstructions.",
    ),
    "anomaly": Picture(
        charts.anomaly,
        "How well the likelihood alone separates the two; the metrics are AUROC and average precision.",
        "anomaly=DATA",
        lambda subject: subject.anomaly is not None,
    ),
}


def requested(names: Sequence[str] | None, subject: Subject) -> list[str]:
    """The pictures with these names, or all that are possible for this run. Raises UserError for one that is not."""
    for name in names or ():
        if not PICTURES[name].possible(subject):
            latent = subject.vae.latent
            raise UserError(
                f"pictures={name} is not possible: it needs {PICTURES[name].needs}; this run has "
                f"latent={latent.name} of {latent.in_words}"
            )
    chosen = [name for name in PICTURES if names is None or name in names]
    return [name for name in chosen if PICTURES[name].possible(subject)]
