"""What the tests of metrics share: data in memory, recorded noise, and torch.distributions in the place of our own."""

from typing import Any

from torch import Tensor
from torch import distributions as oracle

from vae_cli.data.dataset import Dataset, Split
from vae_cli.models.latents.contract import Latent
from vae_cli.models.vae import VAE

SHAPE = (1, 2, 3)


def data_of(x: Tensor, scale: float = 1.0) -> tuple[Dataset, Split]:
    split = Split(x)
    return Dataset(split, split, split, SHAPE, scale), split


class RecordedNoise:
    """A latent that keeps all the noise it has drawn."""

    def __init__(self, latent: Latent[Any]) -> None:
        self.latent, self.drawn = latent, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.latent, name)

    def noise(self, *arguments: Any) -> Tensor:
        self.drawn.append(self.latent.noise(*arguments))
        return self.drawn[-1]


class Categories:
    """torch's one-hot categories, for codes that are laid out category-major."""

    def __init__(self, logits: Tensor, units: int) -> None:
        self.units = units
        self.inner = oracle.OneHotCategorical(logits=self.by_unit(logits))

    def by_unit(self, code: Tensor) -> Tensor:
        return code.unflatten(-1, (-1, self.units)).mT

    def log_prob(self, code: Tensor) -> Tensor:
        return self.inner.log_prob(self.by_unit(code))


def posterior_and_prior(model: VAE, x: Tensor) -> tuple[Any, Any]:
    """Of the encoder's output; both have a `log_prob` for each unit."""
    h = model.encoder(x)
    if model.latent.name == "bernoulli":
        return oracle.Bernoulli(logits=h), oracle.Bernoulli(logits=0 * h)
    if model.latent.name == "categorical":
        return Categories(h, model.latent.code_size), Categories(0 * h, model.latent.code_size)
    mean, log_std = h.chunk(2, -1)
    return oracle.Normal(mean, log_std.exp()), oracle.Normal(0 * mean, 1.0)


def rate(model: VAE, x: Tensor) -> Tensor:
    """KL of each unit, [B, K]."""
    q, prior = posterior_and_prior(model, x)
    return oracle.kl_divergence(getattr(q, "inner", q), getattr(prior, "inner", prior))
