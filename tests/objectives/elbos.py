"""Every combination for which laws of the ELBO are tested."""

import pytest
import torch
from models.tables import ESTIMATORS, LIKELIHOODS, PAIRS, seeded
from torch import Tensor, nn

from vae_cli.models.latents.contract import Latent
from vae_cli.objectives.elbo import ELBO
from vae_cli.objectives.estimators.score_function import Reinforce

WITH_LEAVE_ONE_OUT = ESTIMATORS | {"leave_one_out": lambda: Reinforce("leave_one_out", 0.99)}
EVERY = PAIRS + [(latent, "leave_one_out") for latent, estimator in PAIRS if estimator == "reinforce"]
every_pair = pytest.mark.parametrize(("latent", "estimator"), EVERY)
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
S, B, K, D = 3, 5, 2, 6


def elbo(estimator: str, free_bits: float = 0.0) -> ELBO:
    return ELBO(WITH_LEAVE_ONE_OUT[estimator](), free_bits=free_bits)


def draw(latent: Latent, *shape: int, seed: int = 2) -> Tensor:
    return latent.noise(shape, seeded(seed), torch.zeros(()))


def schedule(beta: float, temperature: float = 0.5) -> dict[str, float]:
    return {"beta": beta, "temperature": temperature}


def gradient_of(loss: Tensor, model: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))
