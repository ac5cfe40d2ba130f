"""Quantiles: the inverse of the distribution function."""

import pytest
import torch
from models.tables import close
from torch import distributions as oracle

from vae_cli.models.continuous_bernoulli import ContinuousBernoulli
from vae_cli.models.distributions import Bernoulli, Normal

pytestmark = pytest.mark.usefixtures("float64")

PROBABILITY = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
LOGITS = torch.linspace(-12, 12, 50, dtype=torch.float64)  # 0 is not among them
MEAN, LOG_STD = torch.linspace(-3, 3, 50, dtype=torch.float64), torch.linspace(2, -2, 50, dtype=torch.float64)


def test_normal_quantile_is_the_oracles():
    probability = PROBABILITY[:, None]
    close(
        Normal(MEAN, LOG_STD).quantile(probability),
        oracle.Normal(MEAN, LOG_STD.exp()).icdf(probability),
        1e-9,
    )


@pytest.mark.parametrize("family", [Bernoulli, ContinuousBernoulli])
def test_quantiles_mirror_each_other(family):
    """value ↔ 1 − value is logits ↔ −logits and probability ↔ 1 − probability."""
    probability = PROBABILITY[:, None]
    close(family(LOGITS).quantile(probability), 1 - family(-LOGITS).quantile(1 - probability), 1e-12)


def test_bernoulli_quantile_is_one_above_the_probability_of_zero():
    """At each probability, and so with frequency sigmoid(logits) over 200,000 uniform ones: z ≤ 4."""
    close(Bernoulli(LOGITS).quantile(PROBABILITY[:, None]), PROBABILITY[:, None] > (-LOGITS).sigmoid(), 0)
    logits, n = torch.tensor([-4.0, -1.0, 0.0, 0.7, 3.0]), 200_000
    uniform = torch.rand(n, 5, generator=torch.Generator().manual_seed(1))
    p = logits.sigmoid()
    off = (Bernoulli(logits).quantile(uniform).mean(0) - p).abs()
    assert (off <= 4 * (p * (1 - p) / n).sqrt()).all()


@pytest.mark.parametrize("logit", [-1e30, -200.0, -40.0, -1e-3, 0.0, 1e-3, 40.0, 200.0, 1e30])
@pytest.mark.parametrize("family", [Bernoulli, ContinuousBernoulli])
def test_quantiles_stay_in_the_unit_interval_at_extreme_logits(family, logit):
    """In float32, at probabilities from 1e-6 to 1 − 1e-6."""
    probability = torch.tensor([1e-6, 1e-3, 0.5, 0.999, 1 - 1e-6], dtype=torch.float32)
    value = family(torch.tensor(logit, dtype=torch.float32)).quantile(probability)
    assert value.dtype == torch.float32
    assert ((value >= 0) & (value <= 1)).all() and (value.diff() >= 0).all()
    if abs(logit) == 1e30:
        close(value, float(logit > 0), 1e-20)
