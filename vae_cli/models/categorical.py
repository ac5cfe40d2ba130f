"""The one-hot categorical distribution: each unit takes one of C values."""

from typing import NamedTuple

import torch
from torch import Tensor


class OneHotCategorical(NamedTuple):
    """K units with C values each, P(value c) = softmax(logits)_c; a value is a one-hot vector.

    Codes [..., C·K] are category-major: the first K numbers say which units have value 0, the next K which have value 1.
    """

    logits: Tensor  # [..., C, K]

    @property
    def mean(self) -> Tensor:
        return self.logits.softmax(-2).flatten(-2)

    @property
    def mode(self) -> Tensor:
        return largest(self.logits).flatten(-2)

    def sample(self, noise: Tensor) -> Tensor:
        """Hard one-hot samples from standard Gumbel noise: P(argmax(logits + noise) = c) = softmax(logits)_c."""
        return largest(self.logits + self._by_unit(noise)).flatten(-2)

    def relaxed_sample(self, noise: Tensor, temperature: Tensor | float) -> Tensor:
        """softmax((logits + noise) / temperature), inside the simplex. It tends to the hard sample as temperature → 0.

        "Categorical Reparameterization with Gumbel-Softmax" (Jang et al., 2017), arXiv:1611.01144.
        """
        return ((self.logits + self._by_unit(noise)) / temperature).softmax(-2).flatten(-2)

    def with_mean(self, mean: Tensor) -> Tensor:
        """`mean` [..., C·K], which moves with the logits as the mean of a distribution with this mean does."""
        moved = self._by_unit(mean).log() + self.logits - self.logits.detach()
        return moved.softmax(-2).flatten(-2)

    def log_prob(self, value: Tensor) -> Tensor:
        return (self._by_unit(value) * self.logits.log_softmax(-2)).sum(-2)

    def pairwise_log_prob(self, values: Tensor) -> Tensor:
        """See `Posterior`. One matrix product, in float64."""
        log_probs = self.logits.double().log_softmax(-2).flatten(-2)
        return (values.double() @ log_probs.mT).to(values.dtype)

    def kl(self, prior: "OneHotCategorical") -> Tensor:
        """[..., K]"""
        log_probs = self.logits.log_softmax(-2)
        return (log_probs.exp() * (log_probs - prior.logits.log_softmax(-2))).sum(-2)

    def _by_unit(self, code: Tensor) -> Tensor:
        return code.unflatten(-1, self.logits.shape[-2:])


def largest(scores: Tensor) -> Tensor:
    """One-hot along the axis of categories: 1 at the largest of scores [..., C, K], at the first one if several are equal."""
    category = torch.arange(scores.shape[-2], device=scores.device)[:, None]
    return (category == scores.argmax(-2, keepdim=True)).to(scores.dtype)
