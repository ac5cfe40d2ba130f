"""The variational auto-encoder: an encoder, a decoder, a latent and a likelihood. It draws no random numbers."""

from typing import Any

from torch import Tensor, nn

from vae_cli.models.latents.contract import Latent
from vae_cli.models.likelihoods import Likelihood, Observation
from vae_cli.models.posterior import Posterior


class VAE(nn.Module):
    """p(x, z) = p(z) p(x|z) with the encoder's q(z|x).

    Images are vectors [..., D], and codes are vectors [..., V] of `latent.code_size` units.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, latent: Latent[Any], likelihood: Likelihood
    ) -> None:
        """`encoder` maps [..., D] to [..., latent.encoder_outputs], `decoder` [..., latent.decoder_inputs] to
        [..., D · likelihood.outputs_per_pixel]."""
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent = latent
        self.likelihood = likelihood

    def prior(self) -> Posterior | None:
        """p(z) of one code [V], with the type and on the device of the parameters; None for a plain auto-encoder."""
        return self.latent.prior(next(self.parameters()))

    def encode(self, x: Tensor) -> Posterior:
        """x [..., D] → q(z|x) over codes [..., V]."""
        return self.latent.posterior(self.encoder(x))

    def decode(self, z: Tensor) -> Observation:
        """z [..., V] → p(x|z) over images [..., D]."""
        return self.likelihood(self.decoder(z))

    def generate(self, z: Tensor) -> Tensor:
        """The mean image [..., D] of each code [..., V]."""
        return self.decode(z).mean

    def reconstruct(self, x: Tensor) -> Tensor:
        """The mean image [..., D] of the most probable code of each image [..., D]. Discrete codes are hard."""
        return self.generate(self.encode(x).mode)
