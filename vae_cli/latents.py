"""Latents: how the encoder's output becomes a posterior over codes, the prior, and the noise they need."""

import torch
from torch import Generator, Tensor

from vae_cli.distributions import Bernoulli, Delta, Normal


class GaussianLatent:
    """z ~ N(mean, std²) for each of K units, prior N(0, 1)."""

    has_density = True

    def __init__(self, code_size: int) -> None:
        self.code_size = code_size
        self.encoder_outputs = 2 * code_size

    def posterior(self, h: Tensor) -> Normal:
        """h [..., 2K] → q(z|x): the first half is the mean, the second log_std."""
        return Normal(*h.chunk(2, -1))

    def prior(self, like: Tensor) -> Normal:
        """p(z), [K], with the type and on the device of `like`."""
        zeros = like.new_zeros(self.code_size)
        return Normal(zeros, zeros)

    def noise(self, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
        """Standard normal noise [*shape, K]."""
        size = (*shape, self.code_size)
        return torch.randn(size, generator=generator, dtype=like.dtype, device=like.device)


class BernoulliLatent:
    """z ~ Ber(sigmoid(logits)) for each of K units, prior Ber(½)."""

    has_density = True

    def __init__(self, code_size: int) -> None:
        self.code_size = self.encoder_outputs = code_size

    def posterior(self, h: Tensor) -> Bernoulli:
        """h [..., K] → q(z|x): the logits."""
        return Bernoulli(h)

    def prior(self, like: Tensor) -> Bernoulli:
        return Bernoulli(like.new_zeros(self.code_size))

    def noise(self, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
        """Standard logistic noise [*shape, K], log u − log(1 − u).

        `torch.rand` can return 0 and its grid in float32 is 2⁻²⁴; half a grid step keeps the noise finite.
        """
        size = (*shape, self.code_size)
        uniform = torch.rand(size, generator=generator, dtype=like.dtype, device=like.device)
        return uniform.clamp_(min=2**-25).logit_()


class DeterministicLatent:
    """z = h: the plain auto-encoder. No noise, no KL, no prior, hence no likelihood either."""

    has_density = False

    def __init__(self, code_size: int) -> None:
        self.code_size = self.encoder_outputs = code_size

    def posterior(self, h: Tensor) -> Delta:
        return Delta(h)

    def prior(self, like: Tensor) -> Delta:
        return Delta(like.new_zeros(self.code_size))

    def noise(self, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
        """Zeros [*shape, K]: nothing is drawn."""
        return like.new_zeros(*shape, self.code_size)


Latent = GaussianLatent | BernoulliLatent | DeterministicLatent
Posterior = Normal | Bernoulli | Delta
