"""Latents: how the encoder's output becomes a posterior over codes, the prior, and the noise they need; and how
one walks in each code space, which the pictures show.

    resample(q, n)        n codes from the simplest distribution with the first moments of the mixture of q [N, K]:
                          a Gaussian with its mean and covariance, or independent bits with its rates
    path(start, end, n)   codes [T, K] from one to another: n points of a straight line, or one bit flipped at a time
    steps(codes)          the values [K, T] that each unit takes in a traversal, and their names
"""

import torch
from torch import Generator, Tensor

from vae_cli.models.distributions import Bernoulli, Delta, Normal


class GaussianLatent:
    """z ~ N(mean, std²) for each of K units, prior N(0, 1)."""

    has_density = True
    is_binary = False

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

    def resample(self, q: Normal, n: int, generator: Generator) -> Tensor:
        return _gaussian_like(q.mean, (2 * q.log_std).exp().mean(0), n, generator)

    def path(self, start: Tensor, end: Tensor, n: int) -> Tensor:
        return _line(start, end, n)

    def steps(self, codes: Tensor) -> tuple[Tensor, list[str]]:
        """From −3 to 3: the prior's standard deviation is 1."""
        values = torch.linspace(-3, 3, 11, dtype=codes.dtype, device=codes.device)
        return values.expand(self.code_size, -1), [f"{round(v, 1) + 0.0:.1f}" for v in values.tolist()]


class BernoulliLatent:
    """z ~ Ber(sigmoid(logits)) for each of K units, prior Ber(½)."""

    has_density = True
    is_binary = True

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

    def resample(self, q: Bernoulli, n: int, generator: Generator) -> Tensor:
        rates = q.mean.mean(0)
        uniform = torch.rand((n, self.code_size), generator=generator, dtype=rates.dtype, device=rates.device)
        return (uniform < rates).to(rates.dtype)

    def path(self, start: Tensor, end: Tensor, n: int) -> Tensor:
        """start and end [K] are probabilities of 1; the bit whose value at the end is surest flips first."""
        bits, goal = (start > 0.5).to(start.dtype), (end > 0.5).to(end.dtype)
        differing = (bits != goal).nonzero()[:, 0]
        order = differing[(end - 0.5).abs()[differing].argsort(descending=True, stable=True)]
        flipped = torch.zeros(len(order) + 1, self.code_size, dtype=torch.bool, device=start.device)
        for i, unit in enumerate(order.tolist()):
            flipped[i + 1 :, unit] = True
        return torch.where(flipped, goal, bits)

    def steps(self, codes: Tensor) -> tuple[Tensor, list[str]]:
        return codes.new_tensor([0.0, 1.0]).expand(self.code_size, -1), ["off", "on"]


class DeterministicLatent:
    """z = h: the plain auto-encoder. No noise, no KL, no prior, hence no likelihood either."""

    has_density = False
    is_binary = False

    def __init__(self, code_size: int) -> None:
        self.code_size = self.encoder_outputs = code_size

    def posterior(self, h: Tensor) -> Delta:
        return Delta(h)

    def prior(self, like: Tensor) -> Delta:
        return Delta(like.new_zeros(self.code_size))

    def noise(self, shape: tuple[int, ...], generator: Generator, like: Tensor) -> Tensor:
        """Zeros [*shape, K]: nothing is drawn."""
        return like.new_zeros(*shape, self.code_size)

    def resample(self, q: Delta, n: int, generator: Generator) -> Tensor:
        """As proposed where there is no prior: "From Variational to Deterministic Autoencoders" (Ghosh et al., 2020),
        arXiv:1903.12436."""
        return _gaussian_like(q.value, torch.zeros_like(q.value[0]), n, generator)

    def path(self, start: Tensor, end: Tensor, n: int) -> Tensor:
        return _line(start, end, n)

    def steps(self, codes: Tensor) -> tuple[Tensor, list[str]]:
        """Three standard deviations of the codes to both sides of their mean."""
        values = torch.linspace(-3, 3, 11, dtype=codes.dtype, device=codes.device)
        return codes.mean(0)[:, None] + codes.std(0, correction=0)[:, None] * values, [
            f"{v:+.1f}σ" for v in values.tolist()
        ]


def _gaussian_like(means: Tensor, variance: Tensor, n: int, generator: Generator) -> Tensor:
    """n codes from N(mean of means, covariance of means [N, K] + diag(variance))."""
    covariance = means.double().T.cov(correction=0).reshape(2 * means.shape[-1:]) + variance.double().diag()
    values, vectors = torch.linalg.eigh(covariance)  # unlike Cholesky it takes a unit that is off
    noise = torch.randn(n, len(values), generator=generator, dtype=values.dtype, device=values.device)
    return means.mean(0) + (noise * values.clamp(min=0).sqrt() @ vectors.T).to(means.dtype)


def _line(start: Tensor, end: Tensor, n: int) -> Tensor:
    """n codes [n, K] at equal steps, both ends included."""
    return start + torch.linspace(0, 1, n, dtype=start.dtype, device=start.device)[:, None] * (end - start)


Latent = GaussianLatent | BernoulliLatent | DeterministicLatent
Posterior = Normal | Bernoulli | Delta
