"""Resampled codes, paths and traversals in each code space."""

import math

import numpy as np
import pytest
import torch
from models.tables import LATENTS, seeded

from vae_cli.models.categorical import OneHotCategorical
from vae_cli.models.distributions import Bernoulli, Delta, Normal
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.categorical import CategoricalLatent
from vae_cli.models.latents.deterministic import DeterministicLatent
from vae_cli.models.latents.gaussian import GaussianLatent

every_latent = pytest.mark.parametrize("name", LATENTS)


# Resampled codes: they resemble those of a data set.


@pytest.mark.parametrize("name", ["gaussian", "deterministic"])
def test_resampled_codes_have_the_mean_and_covariance_of_the_mixture(name, float64):
    """Covariance of the means, plus the mean variance: 200,000 codes, each moment z ≤ 4."""
    n, h = 200_000, torch.randn(50, 6, generator=seeded())
    mean = h[:, :3] @ torch.tensor([[1.0, 0.8, 0.0], [0.0, 0.6, -0.5], [0.0, 0.0, 2.0]]) + 1
    if name == "gaussian":
        latent, q, variance = GaussianLatent(3), Normal(mean, h[:, 3:]), (2 * h[:, 3:]).exp().mean(0)
    else:
        latent, q, variance = DeterministicLatent(3), Delta(mean), torch.zeros(3)
    covariance = torch.from_numpy(np.cov(mean.T.numpy(), bias=True)) + variance.diag()
    codes = latent.resample(q, n, seeded(1))
    assert codes.shape == (n, 3)
    square = covariance.diag()
    assert ((codes.mean(0) - mean.mean(0)).abs() <= 4 * (square / n).sqrt()).all()
    error = ((square[:, None] * square + covariance.square()) / n).sqrt()  # of a Gaussian's
    assert ((codes.T.cov() - covariance).abs() <= 4 * error).all()


def test_resampled_codes_stay_in_the_subspace_of_the_codes():
    """A constant unit stays constant, and a unit that is twice another one stays so; also with a single image."""
    means = torch.randn(50, 3, generator=seeded())
    means[:, 1], means[:, 2] = 0.5, 2 * means[:, 0]
    codes = DeterministicLatent(3).resample(Delta(means), 1000, seeded())
    assert codes.dtype == means.dtype
    assert codes[:, 0].std() > 0.5
    torch.testing.assert_close(codes[:, 1], torch.full((1000,), 0.5), rtol=0, atol=1e-6)
    torch.testing.assert_close(codes[:, 2], 2 * codes[:, 0], rtol=0, atol=1e-5)
    one = DeterministicLatent(3).resample(Delta(means[:1]), 10, seeded())
    torch.testing.assert_close(one, means[:1].expand(10, 3))
    many = torch.randn(3, 40, generator=seeded())  # 38 variances are 0; rounding makes some of them negative
    assert DeterministicLatent(40).resample(Delta(many), 10, seeded()).isfinite().all()


def test_resampled_bits_have_the_frequencies_of_the_mixture_and_are_independent():
    """200,000 codes, z ≤ 4; the bits of each image depend on each other."""
    n, first = 200_000, 3 * torch.randn(50, generator=seeded())
    q = Bernoulli(torch.stack([first, first, torch.full((50,), 200.0)], -1))
    codes = BernoulliLatent(3).resample(q, n, seeded())
    rates = q.mean.mean(0)
    assert codes.shape == (n, 3) and set(codes.unique().tolist()) == {0.0, 1.0}
    assert ((codes.mean(0) - rates).abs() <= 4 * (rates * (1 - rates) / n).sqrt()).all()
    assert codes[:, 2].all()
    assert codes.T[:2].corrcoef()[0, 1].abs() <= 4 / math.sqrt(n)


def test_resampled_categories_have_the_frequencies_of_the_mixture_and_are_independent():
    """200,000 codes, z ≤ 4; the units of each image depend on each other."""
    n, first = 200_000, 2 * torch.randn(50, 4, generator=seeded())
    q = OneHotCategorical(torch.stack([first, first.flip(1)], -1))  # [50, 4, 2]
    codes = CategoricalLatent(2, 4).resample(q, n, seeded()).unflatten(-1, (4, 2))
    frequencies = q.mean.mean(0).unflatten(-1, (4, 2))
    assert (codes.sum(1) == 1).all() and set(codes.unique().tolist()) == {0.0, 1.0}
    error = (frequencies * (1 - frequencies) / n).sqrt()
    assert ((codes.mean(0) - frequencies).abs() <= 4 * error).all()
    joint, product = codes[:, :, 0].T @ codes[:, :, 1] / n, frequencies[:, :1] * frequencies[:, 1]
    assert ((joint - product).abs() <= 4 * (product * (1 - product) / n).sqrt()).all()


@every_latent
def test_resampled_codes_are_a_function_of_their_generator(name):
    latent = LATENTS[name](3)
    q = latent.posterior(torch.randn(9, latent.encoder_outputs, generator=seeded()))
    before = torch.get_rng_state()
    first, again, other = (latent.resample(q, 20, seeded(s)) for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


# Paths.


@pytest.mark.parametrize("latent", [GaussianLatent(3), DeterministicLatent(3)])
def test_a_continuous_path_is_a_straight_line_in_equal_steps(latent):
    start, end = torch.tensor([0.0, 1.0, -2.0]), torch.tensor([10.0, 1.0, 3.0])
    path = latent.path(start, end, 11)
    assert path.shape == (11, 3)
    assert torch.equal(path[0], start) and torch.equal(path[-1], end)
    torch.testing.assert_close(path.diff(dim=0), ((end - start) / 10).expand(10, 3), rtol=0, atol=1e-6)


def test_a_path_of_bits_flips_one_at_a_time_the_most_certain_first():
    """From mode to mode. A bit is certain if its probability at the end is far from ½."""
    start = torch.tensor([0.9, 0.1, 0.6, 0.4, 0.99])
    end = torch.tensor([0.2, 0.6, 0.01, 0.3, 0.98])
    path = BernoulliLatent(5).path(start, end, 11)
    expected = [[1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 1, 0, 0, 1]]
    assert path.tolist() == expected
    assert path.dtype == start.dtype


def test_a_path_of_bits_has_one_more_code_than_bits_that_differ():
    """For random ends: each step changes one bit, and none twice."""
    for seed in range(20):
        start, end = torch.rand(2, 9, generator=seeded(seed))
        path = BernoulliLatent(9).path(start, end, 11)
        assert torch.equal(path[0], (start > 0.5).float()) and torch.equal(path[-1], (end > 0.5).float())
        assert (path.diff(dim=0).abs().sum(1) == 1).all()
        assert len(path) == 1 + (path[0] != path[-1]).sum()
        flips = path.diff(dim=0).abs().argmax(1)
        certainty = (end - 0.5).abs()[flips]
        assert (certainty.diff() <= 0).all()


def test_a_path_of_bits_between_ends_of_one_mode_is_that_code():
    path = BernoulliLatent(2).path(torch.tensor([0.9, 0.1]), torch.tensor([0.6, 0.4]), 11)
    assert path.tolist() == [[1.0, 0.0]]


def test_a_path_of_categories_changes_one_unit_at_a_time_the_most_certain_first():
    """From mode to mode, in the order of the probability of a unit's value at the end."""
    start = torch.tensor([[0.8, 0.1, 0.2], [0.1, 0.7, 0.2], [0.1, 0.2, 0.6]]).flatten()  # 0 1 2
    end = torch.tensor([[0.1, 0.9, 0.3], [0.5, 0.0, 0.3], [0.4, 0.1, 0.4]]).flatten()  # 1 0 2
    path = CategoricalLatent(3, 3).path(start, end, 11)
    assert path.unflatten(-1, (3, 3)).argmax(1).tolist() == [[0, 1, 2], [0, 0, 2], [1, 0, 2]]
    assert path.dtype == start.dtype and (path.unflatten(-1, (3, 3)).sum(1) == 1).all()


# Traversals: one unit at each of its values, the others unchanged.


@every_latent
def test_a_traversal_changes_one_unit_and_leaves_the_others(name):
    latent = LATENTS[name](4)
    q = latent.posterior(torch.randn(9, latent.encoder_outputs, generator=seeded()))
    base = q.mode[0]
    codes, names = latent.traversal(base, [2, 0], q.mean)
    assert codes.shape == (2, len(names), latent.decoder_inputs)
    for unit, row in zip((2, 0), codes, strict=True):
        others = [k for k in range(4) if k != unit]
        by_unit, before = row.unflatten(-1, (-1, 4)), base.unflatten(-1, (-1, 4))
        assert torch.equal(by_unit[..., others], before[..., others].expand(len(names), -1, -1))
        assert len(by_unit[..., unit].unique(dim=0)) == len(names)


def values_of(latent, means: torch.Tensor) -> tuple[torch.Tensor, list[str]]:
    """The values [K, T] that each unit takes where all others are 0."""
    units = list(range(latent.code_size))
    codes, names = latent.traversal(torch.zeros(latent.decoder_inputs, dtype=means.dtype), units, means)
    return torch.stack([codes[k, :, k] for k in units]), names


def test_a_gaussian_unit_is_traversed_by_three_standard_deviations_of_the_prior():
    values, names = values_of(GaussianLatent(3), torch.zeros(5, 3))
    torch.testing.assert_close(values, torch.linspace(-3, 3, 11).expand(3, 11))
    assert names[:2] == ["-3.0", "-2.4"] and names[5] == "0.0" and names[-1] == "3.0"


def test_a_bit_is_traversed_off_and_on():
    values, names = values_of(BernoulliLatent(3), torch.zeros(5, 3, dtype=torch.float64))
    assert values.tolist() == [[0.0, 1.0]] * 3 and values.dtype == torch.float64
    assert names == ["off", "on"]


def test_a_deterministic_unit_is_traversed_by_three_standard_deviations_of_its_codes():
    values, names = values_of(DeterministicLatent(2), torch.tensor([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]]))
    torch.testing.assert_close(values[0], 2 + (8 / 3) ** 0.5 * torch.linspace(-3, 3, 11))
    assert values[1].tolist() == [5.0] * 11
    assert names[0] == "-3.0σ" and names[-1] == "+3.0σ" and len(names) == 11


def test_a_category_is_traversed_through_all_its_values():
    latent = CategoricalLatent(2, 3)
    base = latent.codes(torch.tensor([2 + 3 * 1]), torch.zeros(()))[0]  # values 2 and 1
    codes, names = latent.traversal(base, [1], base[None])
    assert codes[0].unflatten(-1, (3, 2)).argmax(1).tolist() == [[2, 0], [2, 1], [2, 2]]
    assert names == ["0", "1", "2"]
