"""The bound on held-out images, with hard codes from the true posterior and beta 1.

Every metric uses clean images and noise from its own seeded generator, so that it changes only with the model.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from vae_cli.data.dataset import Dataset, Split
from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective

Metrics = dict[str, float | int | list[float]]
DECODED_ROWS = 1024  # images × samples decoded at once on a CPU: 3 MB per 784-pixel activation fit its caches
DECODED_PIXELS = 2**24  # rows × pixels: images of more than 16,384 pixels get fewer rows
# "Importance Weighted Autoencoders" (Burda et al., 2016), arXiv:1509.00519, section 4.3
ACTIVE_VARIANCE = 0.01


def rows_at_once(pixels: int, device: torch.device) -> int:
    """How many images × samples to decode at once: what fits a CPU's caches, or half the free memory of a GPU at
    128 bytes a pixel."""
    if device.type == "cuda":
        return max(1, torch.cuda.mem_get_info(device)[0] // (256 * pixels))
    return max(1, min(DECODED_ROWS, DECODED_PIXELS // pixels))


def chunks(data: Dataset, split: Split, size: int, like: Tensor) -> Iterator[Tensor]:
    """The split's images, `size` at a time, as the model takes them: [B, D]."""
    for images in split.images.split(size):
        yield data.pixels(images.to(like.device), like.dtype)


@torch.no_grad()
def hard_bound(model: VAE, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The rate of each unit [B, K] and the distortion [B] for images x [B, D] and noise [S, B, V]."""
    q = model.encode(x)
    distortion = -model.decode(q.sample(noise)).log_prob(x).sum(-1).mean(0)
    return model.latent.rate(q), distortion


class PerImage(NamedTuple):
    """The terms of the bound for each of N images of a split."""

    rates: Tensor  # [N, K], float64
    distortion: Tensor  # [N], float64
    means: Tensor  # [N, V], of the posterior
    added: dict[str, Tensor]  # name → [N], float64: `Objective.bound`


@torch.no_grad()
def per_image(
    model: VAE,
    data: Dataset,
    split: Split,
    samples: int = 1,
    seed: int = 0,
    objective: Objective | None = None,
) -> PerImage:
    like = next(model.parameters())
    generator = Generator(like.device).manual_seed(seed)
    rates, distortions, means, added = [], [], [], []
    at_once = rows_at_once(math.prod(data.shape), like.device)
    for x in chunks(data, split, max(1, at_once // samples), like):
        noise = model.latent.noise((samples, len(x)), generator, like)
        rate, distortion = hard_bound(model, x, noise)
        rates.append(rate)
        distortions.append(distortion)
        means.append(model.encode(x).mean)
        added.append(objective.bound(model, x, noise) if objective else {})
    more = {name: torch.cat([each[name] for each in added]).double() for name in added[0]}
    return PerImage(torch.cat(rates).double(), torch.cat(distortions).double(), torch.cat(means), more)


def active_units(means: Tensor, units: int) -> Tensor:
    """[K], whether a unit's posterior mean varies over the images [N, V] by more than 0.01 (Burda et al., 2016). A unit
    with several numbers is active if any of them varies so."""
    return (means.double().var(0, correction=0) > ACTIVE_VARIANCE).unflatten(-1, (-1, units)).any(0)


def bound(
    model: VAE,
    data: Dataset,
    split: Split,
    samples: int = 1,
    seed: int = 0,
    objective: Objective | None = None,
) -> Metrics:
    """The ELBO over a split, its standard error and terms, the rate of each unit, the number of active units, and what
    `objective` adds."""
    rates, distortion, means, added = per_image(model, data, split, samples, seed, objective)
    elbo = -(rates.sum(-1) + distortion)
    return {
        "elbo": elbo.mean().item(),
        "elbo_standard_error": standard_error(elbo),
        "rate": rates.sum(-1).mean().item(),
        "distortion": distortion.mean().item(),
        "active_units": int(active_units(means, rates.shape[-1]).sum()),
        "rate_per_unit": rates.mean(0).tolist(),
        **{name: values.mean().item() for name, values in added.items()},
    }


def standard_error(values: Tensor) -> float:
    """Of the mean of values [N]; NaN for one value."""
    return (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else math.nan
