"""Images that show a model while it trains and after: samples and reconstructions."""

import torch
from torch import Generator, Tensor

from vae_cli.data.dataset import Dataset
from vae_cli.models.vae import VAE

COLUMNS = 10  # images in a row of reconstructions and samples


@torch.no_grad()
def prior_samples(vae: VAE, data: Dataset, n: int, seed: int = 0) -> Tensor:
    """Mean images [n, D] of codes from the prior; where there is none, from a Gaussian fitted to test codes."""
    like = next(vae.parameters())
    generator = Generator(like.device).manual_seed(seed)
    if vae.latent.has_density:
        return vae.generate(vae.latent.prior(like).sample(vae.latent.noise((n,), generator, like)))
    codes = vae.encode(data.pixels(data.test.images[:1000].to(like.device), like.dtype))
    return vae.generate(vae.latent.resample(codes, n, generator))  # type: ignore[arg-type]  # a latent's posterior is of its own kind


@torch.no_grad()
def observed_and_reconstructed(vae: VAE, data: Dataset, n: int = COLUMNS) -> Tensor:
    """The first n test images [2n, D]: observations, then reconstructions."""
    like = next(vae.parameters())
    x = data.pixels(data.test.images[:n].to(like.device), like.dtype)
    return torch.cat([x, vae.reconstruct(x)])
