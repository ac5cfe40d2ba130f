"""Functions with known expectations, their estimates, and the exact values: 2^K enumerated codes of bits.

One batch row is one independent estimate: q and the parameters of f are repeated over B = N rows, so that a
single backward pass gives N independent gradients. All z thresholds are 4, all seeds are fixed.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from vae_cli.models.distributions import Bernoulli
from vae_cli.objectives.estimators.relaxation import Concrete
from vae_cli.objectives.estimators.score_function import Reinforce
from vae_cli.objectives.reductions import Mean
from vae_cli.objectives.target import Target

K, N = 4, 50_000
CODES = torch.tensor(list(itertools.product([0.0, 1.0], repeat=K)), dtype=torch.float64)  # [2^K, K]
LOGITS = torch.tensor([-1.5, -0.2, 0.4, 1.1], dtype=torch.float64)
MEAN, LOG_STD = LOGITS, torch.tensor([-0.5, 0.3, 0.0, -1.0], dtype=torch.float64)
WEIGHTS = torch.tensor([[0.9, -1.2, 0.5, 0.3], [0.4, 0.7, -0.8, 1.0]], dtype=torch.float64)
Function = Callable[[Tensor, Tensor], Tensor]  # (codes [..., K], weights [..., 2, K]) → [...]


def curved(z: Tensor, weights: Tensor) -> Tensor:
    """No symmetry, no separate units, and not linear in any of them."""
    first, second = (z.unsqueeze(-2) * weights).sum(-1).unbind(-1)
    return 2 * first.tanh() + second.square() + 1


def linear(z: Tensor, weights: Tensor) -> Tensor:
    return (z * weights[..., 0, :]).sum(-1)


def multilinear(z: Tensor, weights: Tensor) -> Tensor:
    """Linear in each unit given the others."""
    return (1 + z * weights[..., 0, :]).prod(-1)


def squares(z: Tensor, weights: Tensor) -> Tensor:
    return (z.square() * weights[..., 0, :]).sum(-1)


def quadratic(z: Tensor, weights: Tensor) -> Tensor:
    return (z.square() * weights[..., 0, :] + z * weights[..., 1, :]).sum(-1)


def noise(latent: type, samples: int, rows: int = N, seed: int = 0) -> Tensor:
    return latent(K).noise((samples, rows), Generator().manual_seed(seed), torch.zeros(()))


def assert_unbiased(estimates: Tensor, exact: Tensor) -> None:
    """The mean over the rows of estimates [N, ...] is `exact` [...]: z ≤ 4 for each number."""
    off = (estimates.mean(0) - exact).abs()
    assert (off <= 4 * estimates.std(0) / math.sqrt(len(estimates)) + 1e-12).all(), off


def target(q: Any, f: Callable[[Tensor], Tensor]) -> Target:
    """The mean of f over samples of q, as in a bound whose KL has a closed form. No estimator here needs the rest."""
    return Target(q, lambda z, q: f(z), f, lambda: (CODES, f(CODES)), Mean(), torch.zeros(0))


def gradients(estimator: nn.Module, family: type, parameters: tuple[Tensor, ...], f: Function, draws: Tensor):
    """Value [N], and the surrogate's gradients in q's parameters and in f's weights, each [N, ...]."""
    rows = [p.expand(draws.shape[1], *p.shape).clone().requires_grad_() for p in (*parameters, WEIGHTS)]
    estimate = estimator(target(family(*rows[:-1]), lambda z: f(z, rows[-1])), draws, {"temperature": 0.5})
    assert estimate.surrogate.shape == estimate.value.shape == (draws.shape[1],)
    assert not estimate.value.requires_grad
    if not isinstance(estimator, Concrete):
        torch.testing.assert_close(estimate.surrogate.detach(), estimate.value)
    return estimate.value, *torch.autograd.grad(estimate.surrogate.sum(), rows)


def enumerated(f: Function) -> tuple[Tensor, Tensor, Tensor]:
    """E_q[f] of Bernoulli codes and its gradients in the logits and in f's weights."""
    logits, weights = LOGITS.clone().requires_grad_(), WEIGHTS.clone().requires_grad_()
    expectation = (Bernoulli(logits).log_prob(CODES).sum(-1).exp() * f(CODES, weights)).sum()
    return expectation.detach(), *torch.autograd.grad(expectation, (logits, weights))


def reinforce(baseline: str) -> Reinforce:
    return Reinforce(baseline, decay=0.9)


REINFORCE = {
    "moving_average, one sample": ("moving_average", 1),
    "moving_average, three samples": ("moving_average", 3),
    "leave_one_out, two samples": ("leave_one_out", 2),
    "leave_one_out, five samples": ("leave_one_out", 5),
}
