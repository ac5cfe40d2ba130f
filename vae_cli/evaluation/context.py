"""What the pictures of an evaluation are drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Generator, Tensor

from vae_cli.data.dataset import Dataset
from vae_cli.metrics.codes import Usage
from vae_cli.models.posterior import Posterior
from vae_cli.models.vae import VAE


@dataclass(frozen=True)
class Subject:
    """A trained model, its data, and what the user asked of them."""

    vae: VAE
    data: Dataset
    metrics: Sequence[dict[str, Any]] = ()  # of metrics.jsonl
    pairs: Sequence[tuple[int, int]] = ()  # test images between which to interpolate
    anomaly: str | None = None

    @property
    def like(self) -> Tensor:
        return next(self.vae.parameters())

    @property
    def labels(self) -> Tensor | None:
        return self.data.test.labels

    def images(self, indices: Tensor) -> Tensor:
        """Test images [n, D]."""
        chosen = self.data.test.images[indices.to(self.data.test.images.device)]
        return self.data.pixels(chosen.to(self.like.device), self.like.dtype)

    def generator(self) -> Generator:
        return Generator(self.like.device).manual_seed(0)


@dataclass(frozen=True, kw_only=True)
class Context(Subject):
    """The subject with what was measured on its N test images, as far as pictures show it."""

    q: Posterior  # over codes [N, V]
    rates: Tensor  # [K], nats
    active: Tensor  # [K], whether a unit is active
    scores: Tensor  # [N], log p(x); without a prior, log p(x|z)
    score_name: str
    levels: dict[int, float] = field(default_factory=dict)  # number of samples → bound
    exact: float | None = None  # mean log p(x), by enumeration
    usage: Usage | None = None  # of discrete units
    anomaly_scores: Tensor | None = None  # log p(x), [M]
