"""What a model is worth: the bound on held-out images, hard codes from the true posterior, beta 1.

Every figure uses clean images and noise from its own seeded generator, so that it moves only with the model.
"""

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from vae_cli.data import Data, Split
from vae_cli.model import VAE
from vae_cli.objective import ELBO, hard_bound

Figures = dict[str, float | int | list[float]]
DECODED_ROWS = (
    1024  # images × samples decoded at once on a CPU: 3 MB per 784-pixel activation, near its caches
)
DECODED_PIXELS = 2**24  # rows × pixels: of images beyond 32,768 pixels fewer rows
ACTIVE_VARIANCE = 0.01  # "Importance Weighted Autoencoders" (Burda et al., 2016), arXiv:1509.00519, 4.3


def rows_at_once(pixels: int, device: torch.device) -> int:
    """How many images × samples to decode at once: what stays near a CPU's caches, or fits half the free memory of
    a GPU at 128 bytes a pixel."""
    if device.type == "cuda":
        return max(1, torch.cuda.mem_get_info(device)[0] // (256 * pixels))
    return max(1, min(DECODED_ROWS, DECODED_PIXELS // pixels))


def chunks(data: Data, split: Split, size: int, like: Tensor) -> Iterator[Tensor]:
    for images in split.images.split(size):
        yield data.pixels(images.to(like.device), like.dtype)


class PerImage(NamedTuple):
    """The terms of the bound for each of N images of a split."""

    rates: Tensor  # [N, K], float64
    distortion: Tensor  # [N], float64
    means: Tensor  # [N, K], of the posterior


@torch.no_grad()
def per_image(model: VAE, data: Data, split: Split, samples: int = 1, seed: int = 0) -> PerImage:
    like = next(model.parameters())
    generator = Generator(like.device).manual_seed(seed)
    rates, distortions, means = [], [], []
    at_once = rows_at_once(math.prod(data.shape), like.device)
    for x in chunks(data, split, max(1, at_once // samples), like):
        noise = model.latent.noise((samples, len(x)), generator, like)
        rate, distortion = hard_bound(model, x, noise)
        rates.append(rate)
        distortions.append(distortion)
        means.append(model.encode(x).mean)
    return PerImage(torch.cat(rates).double(), torch.cat(distortions).double(), torch.cat(means))


def active_units(means: Tensor) -> Tensor:
    """[K], whether a unit's posterior mean varies over the images [N, K] by more than 0.01 (Burda et al., 2016)."""
    return means.double().var(0, correction=0) > ACTIVE_VARIANCE


def bound(model: VAE, data: Data, split: Split, samples: int = 1, seed: int = 0) -> Figures:
    """The ELBO over a split with its terms, the rate of each unit, active units, and elbo's standard error."""
    rates, distortion, means = per_image(model, data, split, samples, seed)
    elbo = -(rates.sum(-1) + distortion)
    return {
        "elbo": elbo.mean().item(),
        "elbo_standard_error": standard_error(elbo),
        "rate": rates.sum(-1).mean().item(),
        "distortion": distortion.mean().item(),
        "active_units": int(active_units(means).sum()),
        "rate_per_unit": rates.mean(0).tolist(),
    }


def standard_error(values: Tensor) -> float:
    """Of the mean of values [N]; NaN for one value."""
    return (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else math.nan


def gradient_variance(
    model: VAE, objective: ELBO, x: Tensor, draws: int, samples: int, beta: float, temperature: float
) -> Figures:
    """Σ over the encoder's parameters of the variance, over `draws` noises, of the batch's mean gradient; and the
    squared norm of their mean gradient beside it. It compares estimators at one and the same model."""
    objective = copy.deepcopy(objective)  # a moving-average baseline moves
    parameters = list(model.encoder.parameters())
    generator = Generator(x.device).manual_seed(0)
    total = [torch.zeros_like(p) for p in parameters]
    squares = x.new_zeros(())
    for _ in range(draws):
        noise = model.latent.noise((samples, len(x)), generator, x)
        loss = objective(model, x, x, noise, beta, temperature).loss.mean()
        gradient = torch.autograd.grad(loss, parameters)
        torch._foreach_add_(total, gradient)
        squares += sum(g.square().sum() for g in gradient)
    mean_square = sum(t.square().sum() for t in total) / draws**2
    variance = (squares / draws - mean_square) * draws / (draws - 1)
    # E[|mean of n draws|²] = |true gradient|² + variance / n
    return {"gradient_variance": float(variance), "gradient_square": float(mean_square - variance / draws)}
