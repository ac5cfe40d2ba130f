"""torch.distributions in place of our own, one row for each latent with a prior."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch import distributions as oracle


class Categories:
    """torch's one-hot categories, for codes that are laid out category-major."""

    def __init__(self, logits: Tensor, units: int) -> None:
        self.units = units
        self.inner = oracle.OneHotCategorical(logits=self.by_unit(logits))

    def by_unit(self, code: Tensor) -> Tensor:
        return code.unflatten(-1, (-1, self.units)).mT

    def log_prob(self, code: Tensor) -> Tensor:
        return self.inner.log_prob(self.by_unit(code))


def gaussian(h: Tensor, units: int) -> tuple[Any, Any]:
    mean, log_std = h.chunk(2, -1)
    return oracle.Normal(mean, log_std.exp()), oracle.Normal(0 * mean, 1.0)


# The encoder's output [..., P] and the number of units → q(z|x) and p(z), each with a `log_prob` for each unit.
ORACLES: dict[str, Callable[[Tensor, int], tuple[Any, Any]]] = {
    "gaussian": gaussian,
    "bernoulli": lambda h, units: (oracle.Bernoulli(logits=h), oracle.Bernoulli(logits=0 * h)),
    "categorical": lambda h, units: (Categories(h, units), Categories(0 * h, units)),
}


def kl(q: Any, prior: Any) -> Tensor:
    """Of each unit, [..., K]."""
    return oracle.kl_divergence(getattr(q, "inner", q), getattr(prior, "inner", prior))
