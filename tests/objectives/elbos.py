"""Every combination for which laws of the ELBO are tested."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from models.tables import LIKELIHOODS, PAIRS, ROWS, seeded
from torch import Tensor, nn

from vae_cli.models.latents.contract import Latent
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.contract import Estimator

S, B, K, D = 6, 5, 2, 6  # 6 samples suit pairs, and a code with its two neighbours
ESTIMATORS: dict[str, Callable[[], Estimator]] = {
    name: partial(row.make, K, D) for name, row in ROWS.items() if row.objective == "elbo"
}
EVERY = [(latent, estimator) for latent, estimator in PAIRS if estimator in ESTIMATORS]
every_pair = pytest.mark.parametrize(("latent", "estimator"), EVERY)
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)


def elbo(estimator: str, free_bits: float = 0.0) -> ELBO:
    """With the same parameters at each call."""
    torch.manual_seed(0)
    samples = 1 if estimator == "exact" else S
    return ELBO(ESTIMATORS[estimator](), samples=samples, free_bits=free_bits)


def draw(latent: Latent, *shape: int, seed: int = 2) -> Tensor:
    return latent.noise(shape, seeded(seed), torch.zeros(()))


def schedule(beta: float, temperature: float = 0.5) -> dict[str, float]:
    return {"beta": beta, "temperature": temperature}


def gradient_of(loss: Tensor, model: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))
