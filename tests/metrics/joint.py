"""log p(x, z) and log p(x) of small models by plain loops and torch.distributions."""

import itertools
import math

import pytest
import torch
from metrics.oracles import SHAPE, posterior_and_prior
from models import tables
from models.tables import LATENTS, WITH_PRIOR
from torch import Tensor
from torch import distributions as oracle

from vae_cli.models.latents.contract import Latent
from vae_cli.models.likelihoods import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
    UnitGaussianLikelihood,
)
from vae_cli.models.vae import VAE

B, D, K = 3, 6, 2
LIKELIHOODS = {
    "bernoulli": (BernoulliLikelihood(), lambda h: oracle.Bernoulli(logits=h)),
    "continuous_bernoulli": (
        ContinuousBernoulliLikelihood(),
        lambda h: oracle.ContinuousBernoulli(logits=h),
    ),
    "gaussian": (
        GaussianLikelihood(None),
        lambda h: oracle.Normal(h.chunk(2, -1)[0], h.chunk(2, -1)[1].exp()),
    ),
    "unit_gaussian": (UnitGaussianLikelihood(), lambda h: oracle.Normal(h, 1.0)),
}
BERNOULLI = LIKELIHOODS["bernoulli"]
every_latent = pytest.mark.parametrize("latent", [LATENTS[name](K) for name in WITH_PRIOR], ids=WITH_PRIOR)
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)


def vae(latent: Latent, likelihood: Likelihood = BERNOULLI[0]) -> VAE:
    return tables.vae(latent, likelihood, SHAPE)


def images(n: int = B, likelihood: Likelihood = BERNOULLI[0]) -> Tensor:
    return tables.images(likelihood, n, SHAPE)


def log_weight(model: VAE, x: Tensor, z: Tensor, observation=BERNOULLI[1]) -> float:
    """log p(x, z) / q(z|x) of one image and one code, by oracles."""
    q, prior = posterior_and_prior(model, x)
    log_p = observation(model.decoder(z)).log_prob(x).sum() + prior.log_prob(z).sum()
    return (log_p - q.log_prob(z).sum()).item()


def log_mean_exp(values: list[float]) -> float:
    return math.log(math.fsum(math.exp(v) for v in values) / len(values))


def all_codes(latent: Latent) -> list[Tensor]:
    """Bits as they are, values as one-hot vectors in category-major order."""
    values = list(itertools.product(range(latent.values_per_unit), repeat=latent.code_size))
    if latent.name == "bernoulli":
        return list(torch.tensor(values, dtype=torch.get_default_dtype()))
    hot = torch.eye(latent.values_per_unit)
    return [hot[torch.tensor(each)].T.flatten() for each in values]


def brute_force(model: VAE, x: Tensor, observation) -> tuple[list[float], list[float], list[float]]:
    """log p(x), the bound and KL(q(z|x) ‖ p(z|x)) of each image, by loops over images and codes, and oracles."""
    log_px, elbo, kl = [], [], []
    for image in x:
        q, prior = posterior_and_prior(model, image)
        joint, log_q = [], []
        for z in all_codes(model.latent):
            log_p = observation(model.decoder(z)).log_prob(image).sum() + prior.log_prob(z).sum()
            joint.append(log_p.item())
            log_q.append(q.log_prob(z).sum().item())
        log_px.append(math.log(math.fsum(math.exp(j) for j in joint)))
        pairs = list(zip(joint, log_q, strict=True))
        elbo.append(math.fsum(math.exp(b) * (a - b) for a, b in pairs))
        kl.append(math.fsum(math.exp(b) * (b - (a - log_px[-1])) for a, b in pairs))
    return log_px, elbo, kl
