"""beta = 1 means the same at every code size, image size and batch size."""

import pytest
import torch
from models.tables import LATENTS, LIKELIHOODS, close, images, vae
from objectives.elbos import EVERY, B, K, S, draw, elbo, every_likelihood, every_pair, gradient_of, schedule
from torch import Tensor, nn

from vae_cli.models.vae import VAE

pytestmark = pytest.mark.usefixtures("float64")


class Copies(nn.Module):
    """Reads only the first numbers of each of its input's `blocks`, and repeats each part of its network's output."""

    def __init__(self, network: nn.Module, blocks: int, size: int, copies: int, parts: int) -> None:
        super().__init__()
        self.network, self.blocks, self.size = network, blocks, size
        self.copies, self.parts = copies, parts

    def forward(self, v: Tensor) -> Tensor:
        first = v.unflatten(-1, (self.blocks, -1))[..., : self.size].flatten(-2)
        return repeated(self.network(first), self.parts, self.copies)


def repeated(v: Tensor, parts: int, copies: int) -> Tensor:
    return torch.cat([v.unflatten(-1, (parts, -1))] * copies, -1).flatten(-2)


# those whose gradient is that of f at the codes: a score function multiplies it by f itself
OF_THE_SLOPE = (
    "pathwise", "concrete", "straight_through", "straight_through_gumbel_softmax", "reinmax", "st_gumbel",
)  # fmt: skip


@pytest.mark.parametrize(("latent", "estimator"), [pair for pair in EVERY if pair[1] in OF_THE_SLOPE])
@every_likelihood
@pytest.mark.parametrize(("units", "pixels"), [(100, 1), (1, 16), (100, 16)])
def test_nats_add_over_units_and_pixels(latent, estimator, likelihood, units, pixels):
    """Code size 2 → 200 multiplies the rate by 100, 8×8 → 32×32 the distortion by 16, and their gradients
    likewise: beta balances the same nats at every size."""
    parts, beta, shape = LIKELIHOODS[likelihood](), 0.7, (1, 1, 64)
    base = vae(LATENTS[latent](K), parts, shape)
    categories = base.latent.decoder_inputs // K
    large = VAE(
        Copies(base.encoder, 1, 64, units, base.latent.encoder_outputs // K),
        Copies(base.decoder, categories, K, pixels, parts.outputs_per_pixel),
        LATENTS[latent](units * K),
        parts,
    )
    x, noise, objective = images(parts, B, shape), draw(base.latent, S, B), elbo(estimator)
    free, full = (objective(base, x, x, noise, schedule(b)) for b in (0.0, 1.0))
    wide, long_noise = repeated(x, 1, pixels), repeated(noise, categories, units)
    assert wide.shape == (B, 64 * pixels) and long_noise.shape == (S, B, units * base.latent.decoder_inputs)
    found = objective(large, wide, wide, long_noise, schedule(beta))
    close(found.reported["rate"], units * full.reported["rate"])
    close(found.reported["distortion"], pixels * full.reported["distortion"])
    for gradient, of_distortion, of_both in zip(
        *(gradient_of(terms.loss.mean(), base) for terms in (found, free, full)), strict=True
    ):
        close(gradient, pixels * of_distortion + beta * units * (of_both - of_distortion), 1e-9)


@every_pair
@pytest.mark.parametrize("free_bits", [0.0, 0.3])
def test_a_batch_of_512_has_the_loss_of_a_batch_of_16(latent, estimator, free_bits):
    """The same 16 images, each 32 times: the same mean loss and the same gradients."""
    parts = LIKELIHOODS["bernoulli"]()
    model = vae(LATENTS[latent](K), parts)
    x, noise = images(parts, 16), draw(model.latent, elbo(estimator).rows, 16)
    small, large = (
        elbo(estimator, free_bits)(
            model, x.repeat(n, 1), x.repeat(n, 1), noise.repeat(1, n, 1), schedule(0.7)
        ).loss.mean()
        for n in (1, 32)
    )
    close(large, small)
    for here, there in zip(gradient_of(large, model), gradient_of(small, model), strict=True):
        close(here, there)
