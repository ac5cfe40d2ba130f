"""What a code holds: how its nats split, how discrete units are used, and which directions vary most.

All of it comes from the posteriors q(z|x_n) of N images and their mixture, the aggregate posterior q(z) = 1/N Σ q(z|x_n).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_cli.models.posterior import Posterior, apply

ROWS_AT_ONCE = 512  # codes compared with all N posteriors at once: 40 MB at N = 10,000


class RateParts(NamedTuple):
    """The two parts of the rate, one estimate for each image [N]; see `split_rate`."""

    mutual_information: Tensor
    marginal_kl: Tensor
    marginal_log_prob: Tensor  # log q(z); minus its mean is the entropy of the code


def split_rate(q: Posterior, prior: Posterior, noise: Tensor) -> RateParts:
    """rate = I(x; z) + KL(q(z) ‖ p(z)), from one code z_n ~ q(z|x_n) for each image; noise [N, V].

    I is between z and the image's index. It cannot exceed log N, and close to log N the estimate says little.
    "ELBO surgery: yet another way to carve up the variational evidence lower bound" (Hoffman and Johnson, 2016).
    """
    q = apply(Tensor.double, q)
    z = q.sample(noise.double())
    marginal = torch.cat([q.pairwise_log_prob(part).logsumexp(1) for part in z.split(ROWS_AT_ONCE)])
    marginal = marginal - math.log(len(z))
    own = q.log_prob(z).sum(-1)
    return RateParts(own - marginal, marginal - prior.log_prob(z).sum(-1), marginal)


class Usage(NamedTuple):
    """How the values of discrete units are used."""

    frequency: Tensor  # [C, K], of each value of each unit
    distinct: int  # different most probable codes
    association: Tensor  # [K, K], between units: of bits their correlation, else Cramér's V

    @property
    def is_of_bits(self) -> bool:
        """Whether each unit has two values. Then the frequency of value 1 says all, and an association has a sign."""
        return len(self.frequency) == 2


def usage(probabilities: Tensor, modes: Tensor) -> Usage:
    """`probabilities` [N, C, K] of each value of each unit, `modes` [N, V] the most probable codes."""
    p = probabilities.double()
    association = correlation(p[:, 1]) if p.shape[1] == 2 else cramers_v(p)
    return Usage(p.mean(0), len(torch.unique(modes, dim=0)), association)


def correlation(on: Tensor) -> Tensor:
    """[K, K], between bits that are 1 with probabilities `on` [N, K]; 0 for a bit that never changes."""
    covariance = on.T.cov(correction=0).reshape(2 * on.shape[-1:])
    covariance = covariance + (on * (1 - on)).mean(0).diag()  # of the bits, not of their probabilities
    std = covariance.diag().sqrt()
    return covariance / (std[:, None] * std).clamp(min=1e-12)


def cramers_v(p: Tensor) -> Tensor:
    """[K, K], the association of units with C values each, from probabilities [N, C, K]: √(χ² / (C − 1)), where χ² is
    Σ (joint − product of marginals)² / product of marginals. 0: independent; 1: one determines the other. For C = 2 it
    is the absolute correlation."""
    n, values, units = p.shape
    rows = p.flatten(1)
    joint, marginal = rows.T @ rows / n, rows.mean(0)
    blocks = joint.view(values, units, values, units)
    # images' products stand for two different units; of one unit with itself the joint is diagonal
    blocks.diagonal(dim1=1, dim2=3).copy_(torch.diag_embed(p.mean(0).T).movedim(0, -1))
    product = marginal[:, None] * marginal
    terms = (joint - product).square() / product.clamp(min=1e-12)
    squared = terms.view(values, units, values, units).sum((0, 2)) / (values - 1)
    return squared.sqrt()


class Components(NamedTuple):
    """The two principal components of codes [N, V]: codes ≈ mean + points @ axes."""

    points: Tensor  # [N, 2], or [N, 1] of a code of one number
    axes: Tensor  # [2, V], of length 1
    mean: Tensor  # [V]
    explained: list[float]  # share of the variance along each


def principal_components(codes: Tensor) -> Components:
    mean = codes.mean(0)
    _, singular, axes = torch.linalg.svd(codes - mean, full_matrices=False)
    shares = singular.square() / singular.square().sum().clamp(min=1e-30)
    return Components((codes - mean) @ axes[:2].T, axes[:2], mean, shares[:2].tolist())


def class_means(codes: Tensor, labels: Tensor) -> dict[int, Tensor]:
    """The mean code [V] of each class."""
    return {label: codes[labels == label].mean(0) for label in labels.unique().tolist()}
