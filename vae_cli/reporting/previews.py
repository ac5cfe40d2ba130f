"""Samples and reconstructions, which show a model while it trains and afterwards."""

import torch
from torch import Generator, Tensor

from vae_cli.data.dataset import Dataset
from vae_cli.models.vae import VAE

COLUMNS = 10  # images in a row of reconstructions and samples


@torch.no_grad()
def prior_samples(vae: VAE, data: Dataset, n: int, seed: int = 0) -> Tensor:
    """Mean images [n, D] of codes from the prior or, where there is none, resampled from those of 1,000 test images."""
    like = next(vae.parameters())
    generator = Generator(like.device).manual_seed(seed)
    if (prior := vae.prior()) is not None:
        return vae.generate(prior.sample(vae.latent.noise((n,), generator, like)))
    codes = vae.encode(data.pixels(data.test.images[:1000].to(like.device), like.dtype))
    return vae.generate(vae.latent.resample(codes, n, generator))


def origin_of_samples(vae: VAE) -> str:
    """Where the codes of `prior_samples` come from, for titles."""
    return "the prior" if vae.prior() is not None else vae.latent.resampling.format(whose="the test codes'")


@torch.no_grad()
def observed_and_reconstructed(vae: VAE, data: Dataset, n: int = COLUMNS) -> Tensor:
    """The first n test images [2n, D]: observations, then reconstructions."""
    like = next(vae.parameters())
    x = data.pixels(data.test.images[:n].to(like.device), like.dtype)
    return torch.cat([x, vae.reconstruct(x)])
