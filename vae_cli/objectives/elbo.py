"""The evidence lower bound as named, per-example terms, in nats.

    log p(x) ≥ elbo = −(rate + distortion),   rate = KL(q(z|x) ‖ p(z)),   distortion = −E_q[log p(x|z)]

Pixels and units are summed, never averaged, so that beta weighs nats and means the same at every code size,
image size and batch size.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_cli.models.vae import VAE


class Terms(NamedTuple):
    """One number per example, [B]. `rate` and `distortion` are of hard samples and beta 1, and hence make a
    bound; `loss` is what was minimized. Reduce over the batch once, last."""

    loss: Tensor
    rate: Tensor
    distortion: Tensor


class ELBO(nn.Module):
    """loss = surrogate distortion + beta · Σ_k max(free_bits, mean over the batch of rate_k).

    `free_bits` is in nats per unit: a unit whose average rate is below it is not pressed further.
    "Improving Variational Inference with Inverse Autoregressive Flow" (Kingma et al., 2016), arXiv:1606.04934.
    """

    def __init__(self, estimator: nn.Module, free_bits: float = 0.0) -> None:
        super().__init__()
        self.estimator = estimator
        self.free_bits = free_bits

    def forward(
        self,
        model: VAE,
        inputs: Tensor,
        x: Tensor,
        noise: Tensor,
        beta: float = 1.0,
        temperature: float = 1.0,
    ) -> Terms:
        """`inputs` is what the encoder sees (x, or x corrupted), x [B, D] the target, noise [S, B, K]."""
        q = model.encode(inputs)
        rates = q.kl(model.latent.prior(x))  # type: ignore[arg-type]  # a latent's prior is of its own kind
        rate = rates.sum(-1)
        estimate = self.estimator(q, lambda z: model.decode(z).log_prob(x).sum(-1), noise, temperature)
        pressed = rates.mean(0).clamp(min=self.free_bits).sum() if self.free_bits else rate
        return Terms(beta * pressed - estimate.surrogate, rate.detach(), -estimate.value)


@torch.no_grad()
def hard_bound(model: VAE, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The bound that is reported: rate per unit [B, K] and distortion [B], hard samples, beta 1, no gradient."""
    q = model.encode(x)
    distortion = -model.decode(q.sample(noise)).log_prob(x).sum(-1).mean(0)
    return q.kl(model.latent.prior(x)), distortion  # type: ignore[arg-type]  # as above
