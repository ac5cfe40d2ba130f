"""Paths, traversals and samples in code space that several latents share."""

import torch
from torch import Generator, Tensor


def gaussian_like(means: Tensor, variance: Tensor, n: int, generator: Generator) -> Tensor:
    """n codes from N(mean of means, covariance of means [N, K] + diag(variance [K]))."""
    covariance = means.double().T.cov(correction=0).reshape(2 * means.shape[-1:]) + variance.double().diag()
    values, vectors = torch.linalg.eigh(covariance)  # unlike Cholesky, it works if a unit has no variance
    noise = torch.randn(n, len(values), generator=generator, dtype=values.dtype, device=values.device)
    return means.mean(0) + (noise * values.clamp(min=0).sqrt() @ vectors.T).to(means.dtype)


def line(start: Tensor, end: Tensor, n: int) -> Tensor:
    """n codes [n, V] at equal steps, both ends included."""
    return start + torch.linspace(0, 1, n, dtype=start.dtype, device=start.device)[:, None] * (end - start)


def one_unit_at_a_time(start: Tensor, end: Tensor, certainty: Tensor) -> Tensor:
    """Codes [T, V] from one discrete code [V] to another. Each step sets one differing unit to its value at the end, in
    the order of falling certainty [K]."""
    first, last = (code.unflatten(0, (-1, len(certainty))) for code in (start, end))  # [V / K, K]
    differing = (first != last).any(0).nonzero()[:, 0]
    order = differing[certainty[differing].argsort(descending=True, stable=True)]
    changed = torch.zeros(len(order) + 1, len(certainty), dtype=torch.bool, device=start.device)
    for i, unit in enumerate(order.tolist()):
        changed[i + 1 :, unit] = True
    return torch.where(changed[:, None], last, first).flatten(1)


def with_units_set(base: Tensor, units: list[int], values: Tensor) -> Tensor:
    """`base` [K] with each of these units alone at each of its values [K, T]: [units, T, K]."""
    codes = base.repeat(len(units), values.shape[1], 1)
    for row, unit in enumerate(units):
        codes[row, :, unit] = values[unit]
    return codes
