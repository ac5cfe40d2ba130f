"""What every distribution over codes can do, for any latent."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor


class Posterior(Protocol):
    """q(z|x) or p(z): a named tuple of tensors. V numbers make up a code of K units (V = K except for categories)."""

    @property
    def mean(self) -> Tensor:
        """[..., V]"""

    @property
    def mode(self) -> Tensor:
        """The most probable code, [..., V]."""

    def sample(self, noise: Tensor) -> Tensor:
        """Codes [..., V] from the latent's noise [..., V]."""

    def log_prob(self, value: Tensor) -> Tensor:
        """Of codes [..., V], one number for each unit: [..., K]."""

    def pairwise_log_prob(self, values: Tensor) -> Tensor:
        """log_prob of each of M codes [M, V] under each of these N distributions, summed over units: [M, N]."""

    def __iter__(self) -> Iterator[Tensor]:
        """Its tensors, in the order in which its type takes them."""


Q = TypeVar("Q", bound=Posterior)


def apply(function: Callable[[Tensor], Tensor], q: Q) -> Q:
    """The distribution with `function` applied to each of its tensors, to select some or to change their type."""
    make: Any = type(q)
    return make(*map(function, q))


def concatenate(parts: Sequence[Q]) -> Q:
    """One distribution over the images of all parts."""
    make: Any = type(parts[0])
    return make(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def select(q: Q, images: Tensor | slice) -> Q:
    """The distributions of some images: a mask, indices or a slice of the first axis."""
    return apply(lambda tensor: tensor[images], q)
