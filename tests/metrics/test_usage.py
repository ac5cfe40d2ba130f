"""How discrete units are used: frequencies, distinct codes, and the association between units."""

import math

import numpy as np
import pytest
import torch
from models.tables import close, seeded
from torch import Tensor

from vae_cli.metrics.codes import Usage, cramers_v, usage
from vae_cli.models.categorical import OneHotCategorical
from vae_cli.models.distributions import Bernoulli
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.categorical import CategoricalLatent

pytestmark = pytest.mark.usefixtures("float64")


def of_bits(q: Bernoulli) -> Usage:
    return usage(BernoulliLatent(q.logits.shape[-1]).probabilities(q), q.mode)


def correlated_bits() -> Bernoulli:
    """500 images, 4 units: the second follows the first, the third opposes it, the fourth is its own."""
    first = 2 * torch.randn(500, generator=seeded())
    own = torch.randn(500, generator=seeded(1))
    return Bernoulli(torch.stack([first, 3 * first + 1, 0.5 - 2 * first, own], -1))


def test_the_frequency_is_the_mean_probability_and_distinct_counts_modes():
    q = Bernoulli(torch.tensor([[2.0, -1.0], [0.5, -3.0], [-1.0, 4.0], [-2.0, -1.0]]))
    found = of_bits(q)
    close(found.frequency[1], q.logits.sigmoid().mean(0))
    close(found.frequency.sum(0), 1.0)
    assert found.distinct == 3  # 10, 10, 01, 00


def test_the_correlation_of_two_bits_is_that_of_their_enumerated_values():
    """P(b₁, b₂) = mean of the images' products; no sampling."""
    q = Bernoulli(correlated_bits().logits[:, :2])
    p = q.logits.sigmoid()
    joint = {(a, b): ((p[:, 0] if a else 1 - p[:, 0]) * (p[:, 1] if b else 1 - p[:, 1])).mean().item()
             for a in (0, 1) for b in (0, 1)}  # fmt: skip
    first, second = (sum(w for values, w in joint.items() if values[i]) for i in (0, 1))
    expected = (joint[1, 1] - first * second) / math.sqrt(first * (1 - first) * second * (1 - second))
    assert expected > 0.3
    close(of_bits(q).association, torch.tensor([[1.0, expected], [expected, 1.0]]), 1e-10)


def test_the_correlation_is_that_of_sampled_bits():
    """200,000 bits of images drawn at random, np.corrcoef: each pair z ≤ 4 by the spread of its own influence."""
    q, n = correlated_bits(), 200_000
    image = torch.randint(500, (n,), generator=seeded(2))
    noise = BernoulliLatent(4).noise((n,), seeded(3), torch.zeros(()))
    sampled = Bernoulli(q.logits[image]).sample(noise).numpy()
    found, expected = of_bits(q).association.numpy(), np.corrcoef(sampled.T)
    standard = (sampled - sampled.mean(0)) / sampled.std(0)
    assert found[0, 1] > 0.3 and found[0, 2] < -0.3
    close(torch.from_numpy(found.diagonal().copy()), 1.0, 1e-10)
    for i, j in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        u, v = standard[:, i], standard[:, j]
        influence = u * v - expected[i, j] * (u * u + v * v) / 2
        assert abs(found[i, j] - expected[i, j]) <= 4 * influence.std() / math.sqrt(n)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_bit_that_never_changes_correlates_with_none(logit, dtype):
    logits = torch.stack([torch.full((9,), logit), torch.randn(9, generator=seeded())], -1)
    found = of_bits(Bernoulli(logits.to(dtype)))
    assert found.frequency[1, 0] == float(logit > 0)
    close(found.association, torch.tensor([[0.0, 0.0], [0.0, 1.0]]), 1e-10)


def test_one_unit_and_one_image_are_enough():
    found = of_bits(Bernoulli(torch.tensor([[0.3]])))
    assert found.association.tolist() == [[pytest.approx(1.0)]] and found.distinct == 1


# Categories.


def probabilities(n: int = 40, values: int = 3, units: int = 2) -> Tensor:
    """[N, C, K], the second unit following the first in part."""
    logits = 2 * torch.randn(n, values, units, generator=seeded())
    logits[:, :, 1] += 2 * logits[:, :, 0]
    return logits.softmax(1)


def test_cramers_v_is_that_of_the_enumerated_table():
    """√(χ² / (C − 1)) of the joint frequencies by a plain loop."""
    p = probabilities()
    chi = 0.0
    for a in range(3):
        for b in range(3):
            joint = (p[:, a, 0] * p[:, b, 1]).mean().item()
            product = p[:, a, 0].mean().item() * p[:, b, 1].mean().item()
            chi += (joint - product) ** 2 / product
    expected = math.sqrt(chi / 2)
    assert expected > 0.1
    close(cramers_v(p), torch.tensor([[1.0, expected], [expected, 1.0]]), 1e-10)


def test_cramers_v_of_two_values_is_the_absolute_correlation():
    q = correlated_bits()
    close(cramers_v(BernoulliLatent(4).probabilities(q)), of_bits(q).association.abs(), 1e-9)


def test_units_that_determine_each_other_are_fully_associated_and_independent_ones_are_not():
    """The second unit is the first with its values renamed, the third is independent of both."""
    first = torch.arange(4).repeat(4)
    values = torch.stack([first, (first + 1) % 4, torch.arange(4).repeat_interleave(4)], -1)
    found = cramers_v((values[:, None] == torch.arange(4)[:, None]).double())
    close(found, torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), 1e-10)


def test_of_categories_frequencies_and_distinct_codes_are_counted():
    latent = CategoricalLatent(2, 3)
    q = OneHotCategorical(probabilities().log())
    found = usage(latent.probabilities(q), q.mode)
    close(found.frequency, probabilities().mean(0))
    assert found.distinct == len({tuple(code) for code in q.mode.tolist()})
