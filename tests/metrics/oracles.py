"""What the tests of metrics share: data in memory, recorded noise, and torch.distributions in place of our own."""

from typing import Any

from models.oracles import ORACLES, kl
from torch import Tensor

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

    @classmethod
    def of(cls, model: VAE) -> "RecordedNoise":
        """In the place of the model's latent."""
        recorded = cls(model.latent)
        model._modules.pop("latent", None)  # a module cannot be replaced by something else
        model.latent = recorded
        return recorded

    def __getattr__(self, name: str) -> Any:
        return getattr(self.latent, name)

    def noise(self, *arguments: Any) -> Tensor:
        self.drawn.append(self.latent.noise(*arguments))
        return self.drawn[-1]


def posterior_and_prior(model: VAE, x: Tensor) -> tuple[Any, Any]:
    """Of the encoder's output; both have a `log_prob` for each unit."""
    return ORACLES[model.latent.name](model.encoder(x), model.latent.code_size)


def rate(model: VAE, x: Tensor) -> Tensor:
    """KL of each unit, [B, K]."""
    return kl(*posterior_and_prior(model, x))
