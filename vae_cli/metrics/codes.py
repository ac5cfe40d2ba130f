"""What a code holds: how its nats split, which bits are used, and what stands close together.

All of it from the posteriors q(z|x_n) of N images and their mixture, the aggregate posterior q(z) = 1/N Σ q(z|x_n).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_cli.models.distributions import Bernoulli
from vae_cli.models.latents import Posterior

ROWS_AT_ONCE = 512  # codes beside all N posteriors: 40 MB at N = 10,000


class Split(NamedTuple):
    """The two parts of the rate, one estimate for each image [N]; see `split_rate`."""

    mutual_information: Tensor
    marginal_kl: Tensor
    marginal_log_prob: Tensor  # log q(z): minus its mean is the entropy of the code


def split_rate(q: Posterior, prior: Posterior, noise: Tensor) -> Split:
    """rate = I(x; z) + KL(q(z) ‖ p(z)), from one code z_n ~ q(z|x_n) for each image; noise [N, K].

    I is between z and the image's index: it cannot exceed log N, and near it the estimate says little.
    "ELBO surgery: yet another way to carve up the variational evidence lower bound" (Hoffman and Johnson, 2016).
    """
    q = type(q)(*(t.double() for t in q))
    z = q.sample(noise.double())
    marginal = torch.cat([q.pairwise_log_prob(part).logsumexp(1) for part in z.split(ROWS_AT_ONCE)])  # type: ignore[union-attr]  # not of a Delta: callers ask has_density
    marginal = marginal - math.log(len(z))
    own = q.log_prob(z).sum(-1)  # type: ignore[union-attr]  # not of a Delta: callers ask has_density
    return Split(own - marginal, marginal - prior.log_prob(z).sum(-1), marginal)  # type: ignore[union-attr]  # not of a Delta: callers ask has_density


class Bits(NamedTuple):
    """How binary units are used."""

    on: Tensor  # [K], how often each is on: the mean probability
    distinct: int  # different most probable codes
    correlation: Tensor  # [K, K], between the units' values; 0 for a unit that never changes


def bits(q: Bernoulli) -> Bits:
    on = q.mean.double()
    covariance = on.T.cov(correction=0).reshape(2 * on.shape[-1:])
    covariance = covariance + (on * (1 - on)).mean(0).diag()  # of the bits, not of their probabilities
    std = covariance.diag().sqrt()
    correlation = covariance / (std[:, None] * std).clamp(min=1e-12)
    return Bits(on.mean(0), len(torch.unique(q.mode, dim=0)), correlation)


class Plane(NamedTuple):
    """The two principal components of codes [N, K]: codes ≈ mean + points @ axes."""

    points: Tensor  # [N, 2], or [N, 1] of a code of one unit
    axes: Tensor  # [2, K], of length 1
    mean: Tensor  # [K]
    explained: list[float]  # share of the variance along each


def principal_plane(codes: Tensor) -> Plane:
    mean = codes.mean(0)
    _, singular, axes = torch.linalg.svd(codes - mean, full_matrices=False)
    shares = singular.square() / singular.square().sum().clamp(min=1e-30)
    return Plane((codes - mean) @ axes[:2].T, axes[:2], mean, shares[:2].tolist())


def class_means(codes: Tensor, labels: Tensor) -> dict[int, Tensor]:
    """The mean code [K] of each class."""
    return {label: codes[labels == label].mean(0) for label in labels.unique().tolist()}
