"""The variational auto-encoder: an encoder, a decoder, a latent and a likelihood. It never draws."""

from torch import Tensor, nn

from vae_cli.models.latents import Latent, Posterior
from vae_cli.models.likelihoods import Likelihood, Observation


class VAE(nn.Module):
    """p(x, z) = p(z) p(x|z) with q(z|x). Images are vectors [..., D], codes [..., K]."""

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, latent: Latent, likelihood: Likelihood
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent = latent
        self.likelihood = likelihood

    def encode(self, x: Tensor) -> Posterior:
        """x [..., D] → q(z|x) over [..., K]."""
        return self.latent.posterior(self.encoder(x))

    def decode(self, z: Tensor) -> Observation:
        """z [..., K] → p(x|z) over [..., D]."""
        return self.likelihood(self.decoder(z))

    def generate(self, z: Tensor) -> Tensor:
        """The mean image [..., D] of each code."""
        return self.decode(z).mean

    def reconstruct(self, x: Tensor) -> Tensor:
        """The mean image of each image's most probable code: a hard one where codes are binary."""
        return self.generate(self.encode(x).mode)
