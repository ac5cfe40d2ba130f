"""What a model is worth: bounds and likelihoods on held-out images, hard codes from the true posterior, beta 1.

Every figure uses clean images and noise from its own seeded generator, so that it moves only with the model.
"""

import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor

from vae_cli.data import Data, Split
from vae_cli.model import VAE
from vae_cli.objective import ELBO, hard_bound

Figures = dict[str, float | int | list[float]]
DECODED_ROWS = 4096  # images × samples decoded at once: 13 MB per 784-pixel activation, inside most caches
ACTIVE_VARIANCE = (
    0.01  # "Importance Weighted Autoencoders" (Burda et al., 2016), arXiv:1509.00519, section 4.3
)


def _chunks(data: Data, split: Split, size: int, like: Tensor) -> Iterator[Tensor]:
    for images in split.images.split(size):
        yield data.pixels(images.to(like.device), like.dtype)


@torch.no_grad()
def bound(model: VAE, data: Data, split: Split, samples: int = 1, seed: int = 0) -> Figures:
    """The ELBO over a split with its terms, the rate of each unit, active units, and elbo's standard error.

    Active units: those whose posterior mean varies over the images by more than 0.01 (Burda et al., 2016).
    """
    like = next(model.parameters())
    generator = Generator(like.device).manual_seed(seed)
    rates, distortions, means = [], [], []
    for x in _chunks(data, split, max(1, DECODED_ROWS // samples), like):
        noise = model.latent.noise((samples, len(x)), generator, like)
        rate, distortion = hard_bound(model, x, noise)
        rates.append(rate)
        distortions.append(distortion)
        means.append(model.encode(x).mean)
    rate_per_unit, distortion = torch.cat(rates).double(), torch.cat(distortions).double()
    elbo = -(rate_per_unit.sum(-1) + distortion)
    variance = torch.cat(means).double().var(0, correction=0)
    return {
        "elbo": elbo.mean().item(),
        "elbo_standard_error": standard_error(elbo),
        "rate": rate_per_unit.sum(-1).mean().item(),
        "distortion": distortion.mean().item(),
        "active_units": int((variance > ACTIVE_VARIANCE).sum()),
        "rate_per_unit": rate_per_unit.mean(0).tolist(),
    }


def standard_error(values: Tensor) -> float:
    """Of the mean of values [N]; NaN for one value."""
    return (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else math.nan


@torch.no_grad()
def log_likelihood(model: VAE, x: Tensor, samples: int, generator: Generator) -> Tensor:
    """log 1/S Σ_s p(x, z_s) / q(z_s|x) with z_s ~ q(z|x), x [B, D] → [B].

    A lower bound on log p(x) in expectation that tightens with S: "Importance Weighted Autoencoders"
    (Burda et al., 2016), arXiv:1509.00519. Memory is bounded whatever S.
    """
    q, prior = model.encode(x), model.latent.prior(x)
    total = x.new_full((len(x),), -math.inf)
    at_once = max(1, DECODED_ROWS // len(x))
    for start in range(0, samples, at_once):
        z = q.sample(model.latent.noise((min(at_once, samples - start), len(x)), generator, x))
        log_joint = model.decode(z).log_prob(x).sum(-1) + prior.log_prob(z).sum(-1)  # type: ignore[union-attr]
        log_weight = log_joint - q.log_prob(z).sum(-1)  # type: ignore[union-attr]
        total = torch.logaddexp(total, log_weight.logsumexp(0))
    return total - math.log(samples)


def nll(
    model: VAE, data: Data, split: Split, samples: int, tick: Callable[[int], object], seed: int = 0
) -> Figures:
    """Importance-sampled −log p(x) over a split. `tick(n)` is told of each n images done."""
    like = next(model.parameters())
    generator = Generator(like.device).manual_seed(seed)
    values = []
    for x in _chunks(data, split, 128, like):
        values.append(-log_likelihood(model, x, samples, generator))
        tick(len(x))
    every = torch.cat(values).double()
    return {"nll": every.mean().item(), "nll_standard_error": standard_error(every), "nll_samples": samples}


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
