"""log p(x), the marginal likelihood: by importance sampling, and exactly by enumeration of discrete codes."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from vae_cli.data.dataset import Dataset, Split
from vae_cli.metrics.bound import Metrics, chunks, rows_at_once, standard_error
from vae_cli.models.latents.contract import Latent
from vae_cli.models.posterior import Posterior, concatenate, select
from vae_cli.models.vae import VAE

ENUMERABLE_CODES = 2**20  # more would take too long: the time is proportional to the number of codes
CODES_AT_ONCE = 2048  # of an enumeration, for as many images: 16 MB a matrix


def is_enumerable(latent: Latent[Any]) -> bool:
    """Whether its codes are few enough for `enumerate_codes`."""
    return latent.code_count is not None and latent.code_count <= ENUMERABLE_CODES


def no_tick(n: int) -> None:
    pass


def nested_levels(samples: int) -> tuple[int, ...]:
    """The numbers of samples at which a bound is reported: 1, 10, 100, 1000, as far as each divides `samples`, and
    `samples` itself."""
    return (*(k for k in (1, 10, 100, 1000) if k < samples and samples % k == 0), samples)


@torch.no_grad()
def importance_bounds(model: VAE, x: Tensor, levels: tuple[int, ...], generator: Generator) -> Tensor:
    """log 1/S Σ_s p(x, z_s) / q(z_s|x) with hard z_s ~ q(z|x), for x [B, D] and each S of `levels`: [levels, B].

    In expectation it is a lower bound on log p(x) that tightens with S: "Importance Weighted Autoencoders"
    (Burda et al., 2016), arXiv:1509.00519. Each level divides the next. The samples of the last one are cut into
    groups for the others, whose bounds are averaged; hence no level's bound is below that of the level before it.
    Memory does not grow with S. Raises ValueError for a latent without a prior.
    """
    *inner, samples = levels
    q, prior = model.encode(x), _prior(model)
    group = inner[-1] if inner else 1
    block = group * max(1, 1000 // group)
    sums = x.new_zeros(len(levels), len(x))
    total = x.new_full((len(x),), -math.inf)
    for start in range(0, samples, block):
        weights = _log_weights(model, x, q, prior, min(block, samples - start), generator)
        for i, k in enumerate(inner):
            sums[i] += (weights.unflatten(0, (-1, k)).logsumexp(1) - math.log(k)).sum(0) * (k / samples)
        total = torch.logaddexp(total, weights.logsumexp(0))
    sums[-1] = total - math.log(samples)
    return sums


def _prior(model: VAE) -> Posterior:
    if (prior := model.prior()) is None:
        raise ValueError(f"latent={model.latent.name} has no prior, hence no likelihood")
    return prior


def _log_weights(
    model: VAE, x: Tensor, q: Posterior, prior: Posterior, samples: int, generator: Generator
) -> Tensor:
    """log p(x, z) − log q(z|x) of `samples` codes for each image, [S, B]."""
    at_once = max(1, rows_at_once(x.shape[-1], x.device) // len(x))
    weights = []
    for start in range(0, samples, at_once):
        z = q.sample(model.latent.noise((min(at_once, samples - start), len(x)), generator, x))
        log_joint = model.decode(z).log_prob(x).sum(-1) + prior.log_prob(z).sum(-1)
        weights.append(log_joint - q.log_prob(z).sum(-1))
    return torch.cat(weights)


@torch.no_grad()
def log_likelihood(
    model: VAE,
    data: Dataset,
    split: Split,
    levels: tuple[int, ...],
    tick: Callable[[int], object] = no_tick,
    seed: int = 0,
) -> Tensor:
    """Importance-sampled log p(x) of each image of a split at each level, float64 [levels, N]. Calls `tick(n)` after
    every n images."""
    like = next(model.parameters())
    generator = Generator(like.device).manual_seed(seed)
    values = []
    for x in chunks(data, split, 128, like):
        values.append(importance_bounds(model, x, levels, generator))
        tick(len(x))
    return torch.cat(values, -1).double()


def nll(
    model: VAE, data: Dataset, split: Split, samples: int, tick: Callable[[int], object], seed: int = 0
) -> Metrics:
    """Importance-sampled −log p(x) over a split."""
    (every,) = -log_likelihood(model, data, split, (samples,), tick, seed)
    return {"nll": every.mean().item(), "nll_standard_error": standard_error(every), "nll_samples": samples}


class Exact(NamedTuple):
    """By enumeration, without sampling; each float64 [N]. Their difference is KL(q(z|x) ‖ p(z|x))."""

    log_likelihood: Tensor
    elbo: Tensor


@torch.no_grad()
def enumerate_codes(
    model: VAE, data: Dataset, split: Split, tick: Callable[[int], object] = no_tick
) -> Exact:
    """log p(x) = log Σ_z p(z) p(x|z) and the bound, over all codes z of a discrete latent, for each image of a split.

    Codes are decoded once, a block at a time, for all images together: p(x|z) of a block is one matrix product.
    Calls `tick(n)` after every n codes. Raises ValueError for a latent whose codes cannot be counted.
    """
    like, latent = next(model.parameters()), model.latent
    if (count := latent.code_count) is None:
        raise ValueError(f"the codes of latent={latent.name} cannot be counted")
    q, prior = posterior(model, data, split), _prior(model)
    total = torch.full((len(split.images),), -math.inf, dtype=torch.float64, device=like.device)
    reconstruction = torch.zeros_like(total)  # E_q[log p(x|z)]
    for first in range(0, count, CODES_AT_ONCE):
        index = torch.arange(first, min(first + CODES_AT_ONCE, count), device=like.device)
        codes = latent.codes(index, like)  # [C, V]
        observation, log_prior = model.decode(codes), prior.log_prob(codes).sum(-1)
        end = 0
        for x in chunks(data, split, CODES_AT_ONCE, like):
            here = slice(end, end := end + len(x))
            log_px = observation.pairwise_log_prob(x)  # [B, C]
            log_q = select(q, here).pairwise_log_prob(codes)  # [C, B]
            total[here] = torch.logaddexp(total[here], (log_px + log_prior).logsumexp(1).double())
            reconstruction[here] += torch.linalg.vecdot(log_q.T.exp(), log_px).double()
        tick(len(codes))
    return Exact(total, reconstruction - latent.rate(q).double().sum(-1))


@torch.no_grad()
def posterior(model: VAE, data: Dataset, split: Split) -> Posterior:
    """q(z|x) of every image of a split, over codes [N, V]."""
    like = next(model.parameters())
    size = rows_at_once(math.prod(data.shape), like.device)
    return concatenate([model.encode(x) for x in chunks(data, split, size, like)])
