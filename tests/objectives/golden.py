"""A problem without random numbers whose bounds, gradients and variances are known: four bits, a linear decoder, one image.

One batch row is one independent estimate: logits and decoder weights are repeated over N rows, so that one backward pass gives
N independent gradients.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vae_cli.models.distributions import Bernoulli
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.objectives.contract import Schedule
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.reductions import Mean, Reduction
from vae_cli.objectives.target import Target, detached

K, D, N = 4, 8, 50_000
k, d = torch.arange(K, dtype=torch.float64)[:, None], torch.arange(D, dtype=torch.float64)
DECODER = 1.5 * (1 + 3 * k + 5 * d + k * d).sin()  # [K, D]
BIAS = 0.5 * (2 * d).cos()
IMAGE = torch.tensor([1, 0, 1, 1, 0, 0, 1, 0], dtype=torch.float64)
LOGITS = torch.tensor([-1.5, -0.2, 0.4, 1.1], dtype=torch.float64)
CODES = torch.tensor(list(itertools.product([0.0, 1.0], repeat=K)), dtype=torch.float64)
SCHEDULE: Schedule = {"temperature": 0.5}

Function = Callable[[Tensor, Tensor], Tensor]  # (codes [..., K], weights [..., K, D]) → [...]


def log_likelihood(z: Tensor, decoder: Tensor) -> Tensor:
    """log p(x|z), for any broadcastable decoder."""
    logits = (z[..., None] * decoder).sum(-2) + BIAS.to(z)
    return Bernoulli(logits).log_prob(IMAGE.to(z)).sum(-1)


def curved(z: Tensor, decoder: Tensor) -> Tensor:
    """No symmetry, no separate units, and not linear in any of them."""
    first, second, *_ = (z[..., None] * decoder).sum(-2).unbind(-1)
    return 2 * first.tanh() + second.square() + 1


def target(
    logits: Tensor, decoder: Tensor, reduction: Reduction, full: bool, f: Function = log_likelihood
) -> Target:
    """l = f, or with `full` f + log p(z) − log q(z); logits [B, K], decoder [B, K, D]."""
    q = Bernoulli(logits)

    def log_weight(z: Tensor, q: Bernoulli) -> Tensor:
        value = f(z, decoder)
        return value - K * math.log(2) - q.log_prob(z).sum(-1) if full else value

    def frozen(z: Tensor) -> Tensor:
        return target(logits.detach(), decoder.detach(), reduction, full, f).log_weight(z, detached(q))

    def all_codes() -> tuple[Tensor, Tensor]:
        codes = CODES.to(logits)
        return codes, log_weight(codes[:, None].expand(-1, len(logits), -1), detached(q))

    return Target(q, log_weight, frozen, all_codes, reduction, IMAGE.to(logits).expand(len(logits), -1))


class Estimates(NamedTuple):
    """Of N independent estimates."""

    value: Tensor  # [N]
    logits: Tensor  # [N, K], the gradient in the logits
    decoder: Tensor  # [N, K, D], in the decoder's weights


def estimates(
    estimator: Estimator,
    samples: int,
    *,
    reduction: Reduction | None = None,
    full: bool = False,
    f: Function = log_likelihood,
    logits: Tensor = LOGITS,
    rows: int = N,
    seed: int = 0,
) -> Estimates:
    h = logits.expand(rows, K).clone().requires_grad_()
    decoder = DECODER.to(logits).expand(rows, K, D).clone().requires_grad_()
    generator = torch.Generator().manual_seed(seed)
    noise = BernoulliLatent(K).noise((estimator.rows(samples), rows), generator, logits)
    estimate = estimator(target(h, decoder, reduction or Mean(), full, f), noise, SCHEDULE)
    assert estimate.surrogate.shape == estimate.value.shape == (rows,)
    assert not estimate.value.requires_grad and not estimate.log_weights.requires_grad
    return Estimates(estimate.value, *torch.autograd.grad(estimate.surrogate.sum(), (h, decoder)))


def exact(
    samples: int = 1,
    *,
    reduction: Reduction | None = None,
    full: bool = False,
    f: Function = log_likelihood,
    logits: Tensor = LOGITS,
) -> Estimates:
    """E[R] and its gradients, by enumeration of all tuples of `samples` codes."""
    h, decoder = logits.clone().requires_grad_(), DECODER.to(logits).clone().requires_grad_()
    q, tuples = Bernoulli(h), torch.tensor(list(itertools.product(range(len(CODES)), repeat=samples)))
    codes = CODES.to(logits)[tuples.mT]  # [S, tuples, K]
    log_q = q.log_prob(codes).sum(-1)
    log_weights = f(codes, decoder) - (K * math.log(2) + log_q if full else 0)
    expectation = (log_q.sum(0).exp() * (reduction or Mean())(log_weights)).sum()
    return Estimates(expectation.detach(), *torch.autograd.grad(expectation, (h, decoder)))
