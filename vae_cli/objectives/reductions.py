"""How the log-weights l_1 … l_S of one image become one number R(l), whose expectation is a bound on log p(x).

    l_s = log p(x|z_s) + log p(z_s) − log q(z_s|x),   z_s ~ q(z|x)

The same estimator serves them all: leave-one-out with `LogMeanExp` is VIMCO, DisARM with it is local DisARM.
"""

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Reduction(Protocol):
    """R, from log-weights [S, B] to [B]. It is shift-equivariant: R(l + c) = R(l) + c."""

    @property
    def keeps_log_q(self) -> bool:
        """Whether the gradient of −log q in the log-weights counts, with the codes held fixed: for a mean, its mean is 0."""

    def __call__(self, log_w: Tensor) -> Tensor:
        """[B]"""

    def share(self, log_w: Tensor) -> Tensor:
        """What of R depends on z_s, [S, B]: a score-function gradient multiplies it by the score of z_s."""

    def without(self, log_w: Tensor, replacement: Tensor) -> Tensor:
        """R(l) − R(l with l_s replaced by replacement_s), for each s alone; all [S, B]."""

    def weights(self, log_w: Tensor) -> Tensor:
        """∂R/∂l_s, [S, B]; they sum to 1."""

    def path_ratio(self, log_w: Tensor) -> Tensor:
        """By what the weights are multiplied for the path of a reparameterized sample, so that the score's part of the
        gradient needs no sample of its own, [S, B]: "Doubly Reparameterized Gradient Estimators" (Tucker et al., 2019),
        arXiv:1810.04152."""


class Mean(NamedTuple):
    """The evidence lower bound, from S independent samples."""

    keeps_log_q: bool = False

    def __call__(self, log_w: Tensor) -> Tensor:
        return log_w.mean(0)

    def share(self, log_w: Tensor) -> Tensor:
        return log_w / len(log_w)

    def without(self, log_w: Tensor, replacement: Tensor) -> Tensor:
        return (log_w - replacement) / len(log_w)

    def weights(self, log_w: Tensor) -> Tensor:
        return torch.full_like(log_w, 1 / len(log_w))

    def path_ratio(self, log_w: Tensor) -> Tensor:
        return torch.ones_like(log_w)


class LogMeanExp(NamedTuple):
    """log 1/S Σ exp l_s, the importance-weighted bound; with several groups, the mean of the bounds of equal groups.

    "Importance Weighted Autoencoders" (Burda et al., 2016), arXiv:1509.00519; "Tighter Variational Bounds are Not
    Necessarily Better" (Rainforth et al., 2018), arXiv:1802.04537, for groups (MIWAE).
    """

    groups: int = 1
    keeps_log_q: bool = True

    def __call__(self, log_w: Tensor) -> Tensor:
        grouped = self._grouped(log_w)
        return (grouped.logsumexp(1) - math.log(grouped.shape[1])).mean(0)

    def share(self, log_w: Tensor) -> Tensor:
        grouped = self._grouped(log_w)
        bounds = grouped.logsumexp(1, keepdim=True) - math.log(grouped.shape[1])
        return bounds.expand_as(grouped).flatten(0, 1) / self.groups

    def without(self, log_w: Tensor, replacement: Tensor) -> Tensor:
        """In log space: a weight that dominates all others neither overflows nor vanishes."""
        grouped = self._grouped(log_w)
        replaced = torch.logaddexp(others_logsumexp(grouped), self._grouped(replacement))
        return (grouped.logsumexp(1, keepdim=True) - replaced).flatten(0, 1) / self.groups

    def weights(self, log_w: Tensor) -> Tensor:
        return self._normalized(log_w) / self.groups

    def path_ratio(self, log_w: Tensor) -> Tensor:
        return self._normalized(log_w)

    def _normalized(self, log_w: Tensor) -> Tensor:
        """The importance weights; those of a group sum to 1."""
        return self._grouped(log_w).softmax(1).flatten(0, 1)

    def _grouped(self, log_w: Tensor) -> Tensor:
        """[groups, S / groups, B]"""
        return log_w.unflatten(0, (self.groups, -1))


class WakeSleep(LogMeanExp):
    """The importance-weighted bound of reweighted wake-sleep, whose encoder does not ascend it: along the path of a
    reparameterized sample, its gradient has the weights w − w²."""

    def path_ratio(self, log_w: Tensor) -> Tensor:
        return 1 - self._normalized(log_w)


class Mixture(NamedTuple):
    """`mean` of the evidence lower bound and 1 − `mean` of an importance-weighted one (CIWAE).

    "Tighter Variational Bounds are Not Necessarily Better" (Rainforth et al., 2018), arXiv:1802.04537.
    """

    mean: float
    bound: LogMeanExp
    keeps_log_q: bool = True

    def __call__(self, log_w: Tensor) -> Tensor:
        return self._mixed(log_w.mean(0), self.bound(log_w))

    def share(self, log_w: Tensor) -> Tensor:
        return self._mixed(Mean().share(log_w), self.bound.share(log_w))

    def without(self, log_w: Tensor, replacement: Tensor) -> Tensor:
        return self._mixed(Mean().without(log_w, replacement), self.bound.without(log_w, replacement))

    def weights(self, log_w: Tensor) -> Tensor:
        return self._mixed(Mean().weights(log_w), self.bound.weights(log_w))

    def path_ratio(self, log_w: Tensor) -> Tensor:
        squared = self.bound.weights(log_w) * self.bound.path_ratio(log_w)
        return self._mixed(Mean().weights(log_w), squared) / self.weights(log_w)

    def _mixed(self, first: Tensor, second: Tensor) -> Tensor:
        return self.mean * first + (1 - self.mean) * second


def others_logsumexp(log_w: Tensor) -> Tensor:
    """For each s, the log of the sum of exp l over the others, along axis 1 of l [groups, S, B]; −∞ for a single one."""
    nothing = torch.full_like(log_w[:, :1], -math.inf)
    before = torch.cat([nothing, log_w[:, :-1].logcumsumexp(1)], 1)
    after = torch.cat([log_w[:, 1:].flip(1).logcumsumexp(1).flip(1), nothing], 1)
    return torch.logaddexp(before, after)
