"""z ~ N(mean, std²)."""

import torch
from torch import Generator, Tensor

from vae_cli.models.distributions import Normal
from vae_cli.models.latents.contract import Latent
from vae_cli.models.latents.walks import gaussian_like, line, with_units_set


class GaussianLatent(Latent[Normal]):
    """z ~ N(mean, std²) for each of K units, prior N(0, 1)."""

    name = "gaussian"
    resampling = "a Gaussian with {whose} mean and covariance"
    walking = "equal steps along a straight line"
    traversing = "each row moves one unit"

    def __init__(self, code_size: int) -> None:
        self.code_size = self.decoder_inputs = code_size
        self.encoder_outputs = 2 * code_size

    def posterior(self, h: Tensor) -> Normal:
        """h [..., 2K]: the first half is the mean, the second log_std."""
        return Normal(*h.chunk(2, -1))

    def prior(self, like: Tensor) -> Normal:
        zeros = like.new_zeros(self.code_size)
        return Normal(zeros, zeros)

    def rate(self, q: Normal) -> Tensor:
        return q.kl(self.prior(q.mean))

    def noise(self, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
        """Standard normal."""
        size = (*shape, self.code_size)
        return torch.randn(size, generator=generator, dtype=like.dtype, device=like.device)

    def resample(self, q: Normal, n: int, generator: Generator) -> Tensor:
        return gaussian_like(q.mean, (2 * q.log_std).exp().mean(0), n, generator)

    def path(self, start: Tensor, end: Tensor, n: int) -> Tensor:
        return line(start, end, n)

    def traversal(self, base: Tensor, units: list[int], means: Tensor) -> tuple[Tensor, list[str]]:
        """From −3 to 3: the prior's standard deviation is 1."""
        values = torch.linspace(-3, 3, 11, dtype=means.dtype, device=means.device)
        codes = with_units_set(base, units, values.expand(self.code_size, -1))
        return codes, [f"{round(v, 1) + 0.0:.1f}" for v in values.tolist()]

    def plane(self, side: int, like: Tensor) -> Tensor | None:
        """Unit 0 to the right, unit 1 upwards: "Auto-Encoding Variational Bayes" (Kingma and Welling, 2014), figure 4."""
        if self.code_size != 2:
            return None
        probability = (torch.arange(side, dtype=like.dtype, device=like.device) + 0.5) / side
        steps = torch.special.ndtri(probability)
        y, x = torch.meshgrid(steps.flip(0), steps, indexing="ij")
        return torch.stack([x, y], -1).flatten(0, 1)
