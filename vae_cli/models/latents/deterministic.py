"""z = h."""

import torch
from torch import Generator, Tensor

from vae_cli.models.distributions import Delta
from vae_cli.models.latents.contract import Latent
from vae_cli.models.latents.walks import gaussian_like, line, with_units_set


class DeterministicLatent(Latent[Delta]):
    """z = h: the plain auto-encoder. No noise, no KL, no prior, hence no likelihood either."""

    name = "deterministic"
    resampling = "a Gaussian with {whose} mean and covariance"
    walking = "equal steps along a straight line"
    traversing = "each row moves one unit"

    def __init__(self, code_size: int) -> None:
        self.code_size = self.encoder_outputs = self.decoder_inputs = code_size

    def posterior(self, h: Tensor) -> Delta:
        return Delta(h)

    def prior(self, like: Tensor) -> None:
        return None

    def rate(self, q: Delta) -> Tensor:
        return torch.zeros_like(q.value)

    def noise(self, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
        """Zeros: nothing is drawn."""
        return like.new_zeros(*shape, self.code_size)

    def resample(self, q: Delta, n: int, generator: Generator) -> Tensor:
        """A substitute for the prior: "From Variational to Deterministic Autoencoders" (Ghosh et al., 2020),
        arXiv:1903.12436."""
        return gaussian_like(q.value, torch.zeros_like(q.value[0]), n, generator)

    def path(self, start: Tensor, end: Tensor, n: int) -> Tensor:
        return line(start, end, n)

    def traversal(self, base: Tensor, units: list[int], means: Tensor) -> tuple[Tensor, list[str]]:
        """From 3 standard deviations of the codes below their mean to 3 above it."""
        sigmas = torch.linspace(-3, 3, 11, dtype=means.dtype, device=means.device)
        values = means.mean(0)[:, None] + means.std(0, correction=0)[:, None] * sigmas
        return with_units_set(base, units, values), [f"{v:+.1f}σ" for v in sigmas.tolist()]
