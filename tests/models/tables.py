"""The tables over which laws are tested. A new latent, estimator or likelihood adds one row here."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

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
from vae_cli.objectives.estimators.antithetic import ARM, ARMS, DisARM
from vae_cli.objectives.estimators.contract import Estimator
from vae_cli.objectives.estimators.control_variates import Rebar, Relax
from vae_cli.objectives.estimators.exact import Exact, LocalExpectation
from vae_cli.objectives.estimators.pathwise import DoublyReparameterized, Pathwise, StickingTheLanding
from vae_cli.objectives.estimators.relaxation import Concrete, StraightThroughGumbelSoftmax
from vae_cli.objectives.estimators.score_function import NVIL, OVIS, Reinforce, WakePhase
from vae_cli.objectives.estimators.straight_through import (
    GumbelRao,
    ReinMax,
    StraightThrough,
    StraightThroughGumbel,
)
from vae_cli.objectives.estimators.taylor import RODEO, DoubleCV, MuProp

LATENTS: dict[str, Callable[[int], Latent[Any]]] = {  # code size → latent
    "gaussian": GaussianLatent,
    "bernoulli": BernoulliLatent,
    "categorical": lambda units: CategoricalLatent(units, 3),
    "deterministic": DeterministicLatent,
}


class Row(NamedTuple):
    """An estimator of the units of a code and the pixels of an image, the latents that it serves, and how it is asked for."""

    make: Callable[[int, int], Estimator]
    latents: tuple[str, ...]
    samples: int | None = 2  # the fewest that it allows; None: units + 1
    objective: str = "elbo"
    kl: str = "analytic"

    def overrides(self, units: int) -> list[str]:
        samples = units + 1 if self.samples is None else self.samples
        kl = [f"objective.kl={self.kl}"] if self.objective == "elbo" else []
        return [f"objective={self.objective}", f"objective.samples={samples}", *kl]


BITS, DISCRETE_CODES, ALL = (
    ("bernoulli",),
    ("bernoulli", "categorical"),
    ("gaussian", "bernoulli", "categorical"),
)
ROWS = {
    "pathwise": Row(lambda k, d: Pathwise(), ("gaussian", "deterministic"), 1),
    "stl": Row(lambda k, d: StickingTheLanding(), ("gaussian",), 1, kl="sampled"),
    "dreg": Row(lambda k, d: DoublyReparameterized(), ("gaussian",), objective="iwae"),
    "reinforce": Row(lambda k, d: Reinforce("moving_average", 0.99), ALL, 1),
    "leave_one_out": Row(lambda k, d: Reinforce("leave_one_out", 0.99), ALL),
    "nvil": Row(lambda k, d: NVIL(0.9, True, 3, 0.01, d), ALL, 1),
    "ovis": Row(lambda k, d: OVIS(0.0), ALL, objective="iwae"),
    "wake": Row(lambda k, d: WakePhase(), ALL, objective="rws"),
    "concrete": Row(lambda k, d: Concrete(1.0), BITS, 1),
    "straight_through_gumbel_softmax": Row(lambda k, d: StraightThroughGumbelSoftmax(1.0), ("categorical",), 1),
    "straight_through": Row(lambda k, d: StraightThrough(), BITS, 1),
    "reinmax": Row(lambda k, d: ReinMax(1.1), DISCRETE_CODES, 1),
    "st_gumbel": Row(lambda k, d: StraightThroughGumbel(1.0), BITS, 1),
    "gumbel_rao": Row(lambda k, d: GumbelRao(3, 1.0, 0.0, 0.1), BITS, 1),
    "disarm": Row(lambda k, d: DisARM(), BITS),
    "arm": Row(lambda k, d: ARM(), BITS),
    "arms": Row(lambda k, d: ARMS(), BITS),
    "exact": Row(lambda k, d: Exact(), DISCRETE_CODES, 1),
    "local_expectation": Row(lambda k, d: LocalExpectation(k), BITS, None),
    "muprop": Row(lambda k, d: MuProp(), BITS),
    "double_cv": Row(lambda k, d: DoubleCV(-0.5, 0.01), BITS),
    "rodeo": Row(lambda k, d: RODEO(4, 0.01), BITS),
    "rebar": Row(lambda k, d: Rebar(True, 0.5, 1.0, 0.01), BITS),
    "relax": Row(lambda k, d: Relax(True, 0.5, 1.0, 0.01, 4, d, k), BITS),
}  # fmt: skip
SERVED_BY = {latent: tuple(name for name, row in ROWS.items() if latent in row.latents) for latent in LATENTS}
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
