"""The tables over which laws are tested. A new latent, estimator or likelihood adds one row here."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.categorical import CategoricalLatent
from vae_cli.models.latents.contract import Latent
from vae_cli.models.latents.deterministic import DeterministicLatent
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.models.likelihoods import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
    UnitGaussianLikelihood,
)
from vae_cli.models.networks import MLP
from vae_cli.models.vae import VAE
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.estimators.pathwise import Pathwise
from vae_cli.objectives.estimators.relaxation import Concrete, StraightThroughGumbelSoftmax
from vae_cli.objectives.estimators.score_function import Reinforce
from vae_cli.objectives.estimators.straight_through import StraightThrough

LATENTS: dict[str, Callable[[int], Latent[Any]]] = {  # code size → latent
    "gaussian": GaussianLatent,
    "bernoulli": BernoulliLatent,
    "categorical": lambda units: CategoricalLatent(units, 3),
    "deterministic": DeterministicLatent,
}
ESTIMATORS: dict[str, Callable[[], Estimator]] = {
    "pathwise": Pathwise,
    "concrete": lambda: Concrete(1.0),
    "straight_through": StraightThrough,
    "straight_through_gumbel_softmax": lambda: StraightThroughGumbelSoftmax(1.0),
    "reinforce": lambda: Reinforce("moving_average", 0.99),
}
SERVED_BY = {
    "gaussian": ("pathwise", "reinforce"),
    "bernoulli": ("concrete", "straight_through", "reinforce"),
    "categorical": ("straight_through_gumbel_softmax", "reinforce"),
    "deterministic": ("pathwise",),
}
LIKELIHOODS: dict[str, Callable[[], Likelihood]] = {
    "bernoulli": BernoulliLikelihood,
    "continuous_bernoulli": ContinuousBernoulliLikelihood,
    "unit_gaussian": UnitGaussianLikelihood,
    "gaussian": lambda: GaussianLikelihood(-4.0),
}
PAIRS = [(latent, estimator) for latent, estimators in SERVED_BY.items() for estimator in estimators]
WITH_PRIOR = [name for name, latent in LATENTS.items() if latent(1).prior(torch.zeros(())) is not None]
DISCRETE = [name for name, latent in LATENTS.items() if latent(1).values_per_unit is not None]


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def vae(
    latent: Latent[Any],
    likelihood: Likelihood,
    shape: tuple[int, int, int] = (1, 1, 6),
    hidden: tuple[int, ...] = (7,),
) -> VAE:
    """Small and untrained, with the same weights at each call."""
    torch.manual_seed(0)
    network = MLP(hidden, "tanh", "xavier")
    encoder = network.encoder(shape, latent.encoder_outputs)
    decoder = network.decoder(latent.decoder_inputs, shape, likelihood.outputs_per_pixel)
    return VAE(encoder, decoder, latent, likelihood)


def images(likelihood: Likelihood, n: int, shape: tuple[int, int, int] = (1, 1, 6)) -> Tensor:
    """In the likelihood's support, [n, D]."""
    x = torch.rand(n, math.prod(shape), generator=seeded(1))
    return x.round() if likelihood.is_discrete else x if likelihood.support else 6 * x - 3


def close(actual: Tensor, expected: Tensor | float, tolerance: float = 1e-12) -> None:
    expected = torch.as_tensor(expected, dtype=actual.dtype).expand_as(actual)
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
