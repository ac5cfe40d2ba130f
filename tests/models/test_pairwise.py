"""log_prob of each value under each distribution, at once."""

import math

import pytest
import torch
from models.tables import close
from torch import Tensor

from vae_cli.models.continuous_bernoulli import ContinuousBernoulli
from vae_cli.models.distributions import Bernoulli, Normal

pytestmark = pytest.mark.usefixtures("float64")


def pairwise_examples() -> dict[str, tuple[Normal | Bernoulli | ContinuousBernoulli, Tensor]]:
    """Seven distributions and five values over three elements."""
    generator = torch.Generator().manual_seed(0)
    h, value = torch.randn(2, 7, 3, generator=generator), torch.rand(5, 3, generator=generator)
    return {
        "normal": (Normal(*h), 4 * value - 2),
        "unit_normal": (Normal(h[0], torch.zeros(())), 4 * value - 2),
        "bernoulli": (Bernoulli(4 * h[0]), value.round()),
        "cross_entropy": (Bernoulli(4 * h[0]), value),
        "continuous_bernoulli": (ContinuousBernoulli(4 * h[0]), value),
    }


@pytest.mark.parametrize("name", pairwise_examples())
def test_pairwise_log_prob_is_log_prob_of_each_value_under_each_distribution(name):
    q, values = pairwise_examples()[name]
    found = q.pairwise_log_prob(values)
    assert found.shape == (5, 7)
    close(found, q.log_prob(values[:, None]).sum(-1), 1e-12)


def test_pairwise_log_prob_of_narrow_normals_loses_nothing_in_float32():
    """std 1e-3, means within ± 3: squares of 1e7 cancel to less than 10; within two roundings of float64."""
    generator = torch.Generator().manual_seed(0)
    mean = (6 * torch.rand(50, 4, generator=generator) - 3).float()
    q = Normal(mean, torch.full_like(mean, math.log(1e-3)))
    values = q.sample(torch.randn(50, 4, generator=generator).float())
    found = q.pairwise_log_prob(values)
    assert found.dtype == torch.float32
    double = Normal(*(t.double() for t in q)).log_prob(values.double()[:, None]).sum(-1)
    torch.testing.assert_close(found.double(), double, rtol=2**-23, atol=0)
