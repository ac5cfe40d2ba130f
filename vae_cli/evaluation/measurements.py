"""What an evaluation measures: each value with its number of images, standard error and meaning. Units and directions stand in
metrics/registry.py."""

import math
from typing import Any, NamedTuple

from torch import Generator, Tensor
from tqdm import tqdm

from vae_cli.evaluation.context import Subject
from vae_cli.metrics import bound as evaluate
from vae_cli.metrics import codes
from vae_cli.metrics import likelihood as marginal
from vae_cli.metrics.bound import standard_error
from vae_cli.models.posterior import Posterior


class Measurement(NamedTuple):
    value: float | int
    n: int  # images, unless the meaning says otherwise
    standard_error: float | None  # None: exact for these images, or unknown
    meaning: str


Measurements = dict[str, Measurement]


def mean(values: Tensor, meaning: str) -> Measurement:
    """Of one value an image, [N]."""
    error = standard_error(values) if len(values) > 1 else None
    return Measurement(values.mean().item(), len(values), error, meaning)


def progress(title: str, total: int, unit: str) -> Any:
    return tqdm(total=total, desc=title, unit=unit, disable=None, leave=False, unit_scale=True)


def likelihood(subject: Subject, samples: int, exact: bool, seed: int) -> tuple[Measurements, dict[str, Any]]:
    """The bound, its terms and log p(x); and what the pictures show of them."""
    terms = evaluate.per_image(subject.vae, subject.data, subject.data.test, seed=seed)
    active = evaluate.active_units(terms.means, subject.vae.latent.code_size)
    shown: dict[str, Any] = {"rates": terms.rates.mean(0), "active": active}
    if subject.vae.prior() is not None:
        found, more = _bounds(subject, terms.rates.sum(-1), samples, exact, seed)
    else:
        found = {"distortion": mean(terms.distortion, "−log p(x|z) at the code of each image")}
        more = {"scores": -terms.distortion, "score_name": "log p(x|z)"}
    found["active_units"] = Measurement(
        int(active.sum()), len(active), None,
        f"of {len(active)}: posterior mean varies by more than {evaluate.ACTIVE_VARIANCE} (Burda et al., 2016); n counts units",
    )  # fmt: skip
    return found, shown | more


def _bounds(
    subject: Subject, rate: Tensor, samples: int, exact: bool, seed: int
) -> tuple[Measurements, dict[str, Any]]:
    vae, data = subject.vae, subject.data
    levels, n = marginal.nested_levels(samples), len(data.test.images)
    with progress(f"log p(x), {samples:,} samples", n, "image") as bar:
        bounds = marginal.log_likelihood(vae, data, data.test, levels, bar.update, seed)
    elbo, log_px = bounds[0], bounds[-1]
    curve = dict(zip(levels, bounds.mean(-1).tolist(), strict=True))
    shown = {"scores": log_px, "score_name": "log p(x)", "levels": curve}
    name = "−log p(x), importance-sampled" if samples > 1 else "−elbo"
    how = f"{name}, {samples:,} samples: an upper bound in expectation"
    found = {"nll": mean(-log_px, how)}
    if exact:
        enumerated = _enumerated(subject, log_px)
        found |= enumerated
        shown["exact"] = -enumerated["nll_exact"].value
    if data.entropy is not None:
        best = "nll_exact" if exact else "nll"
        gap, error = found[best].value - data.entropy, found[best].standard_error
        found["entropy"] = Measurement(
            data.entropy, n, None, "of the data's distribution: no model can be below"
        )
        found["gap"] = Measurement(gap, n, error, f"{best.replace('_', ' ')} − entropy")
    return found | {
        "elbo": mean(elbo, f"−(rate + distortion), hard codes, {samples:,} samples an image"),
        "rate": mean(rate, "KL(q(z|x) ‖ p(z))"),
        "distortion": mean(-elbo - rate, "−E_q[log p(x|z)]"),
        **{
            f"bound_{k}": mean(bounds[i], f"bound on log p(x) from {k:,} samples")
            for i, k in enumerate(levels[1:-1], 1)
        },
    }, shown


def _enumerated(subject: Subject, log_px: Tensor) -> Measurements:
    count = subject.vae.latent.code_count
    assert count is not None
    with progress("exact log p(x)", count, "code") as bar:
        exact, elbo = marginal.enumerate_codes(subject.vae, subject.data, subject.data.test, bar.update)
    return {
        "nll_exact": mean(-exact, f"−log p(x), all {count:,} codes enumerated"),
        "inference_gap": mean(exact - elbo, "KL(q(z|x) ‖ p(z|x)): what the encoder loses"),
        "sampling_gap": mean(exact - log_px, "exact − importance-sampled log p(x)"),
    }


def code(subject: Subject, q: Posterior, seed: int) -> tuple[Measurements, codes.Usage | None]:
    """How the rate splits and, for a discrete code, how its values are used. The latent has a prior."""
    vae, like, n = subject.vae, subject.like, len(subject.data.test.images)
    prior = vae.latent.prior(like.double())
    assert prior is not None
    noise = vae.latent.noise((n,), Generator(like.device).manual_seed(seed + 1), like)
    parts = codes.split_rate(q, prior, noise)
    found = {
        "mutual_information": mean(
            parts.mutual_information,
            f"I(x; z) of image and code (Hoffman and Johnson, 2016); with {n:,} images at most {math.log(n):.2f}",
        ),
        "marginal_kl": mean(parts.marginal_kl, "KL(q(z) ‖ p(z)); with I(x; z) it makes up the rate"),
    }
    if vae.latent.values_per_unit is None:
        return found, None
    usage = codes.usage(vae.latent.probabilities(q), q.mode)
    return found | _usage(usage, -parts.marginal_log_prob), usage


def _usage(usage: codes.Usage, entropies: Tensor) -> Measurements:
    """`entropies` [N] are −log q(z) at each image's code."""
    (values, units), n = usage.frequency.shape, len(entropies)
    between = "correlation, in absolute value," if usage.is_of_bits else "Cramér's V"
    off_diagonal = usage.association - usage.association.diag().diag()
    return {
        "code_entropy": mean(
            entropies, f"of q(z); at most {units * math.log(values):.2f}, if all codes are equally frequent"
        ),
        "distinct_codes": Measurement(
            usage.distinct, n, None, "different most probable codes of the test images"
        ),
        "largest_correlation": Measurement(
            off_diagonal.abs().max().item(), n, None, f"largest {between} between two units"
        ),
    }
