"""Corruption: it is determined by its generator, does not change the target, and has the stated distribution."""

import math

import pytest
import torch
from data.z_scores import Z, proportion_z
from torch import Generator

from vae_cli.data.corruption import Clean, GaussianNoise, Masking, SaltAndPepper

CORRUPTIONS = [Clean(), GaussianNoise(0.3), Masking(0.25), SaltAndPepper(0.4)]


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda c: type(c).__name__)
def test_corruption_does_not_change_the_target_and_is_determined_by_its_generator(corruption):
    x = torch.rand(64, 100, generator=Generator().manual_seed(0))
    clean = x.clone()
    one, same, other = (corruption(x, Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(x, clean) and torch.equal(one, same) and one.dtype == x.dtype
    assert torch.equal(one, other) == isinstance(corruption, Clean)


@pytest.mark.parametrize("std", [0.05, 0.3, 2.0])
def test_gaussian_noise_has_its_mean_and_variance(std):
    x = torch.full((200, 500), 0.5, dtype=torch.float64)
    noise = (GaussianNoise(std)(x, Generator().manual_seed(0)) - x).flatten()
    n = len(noise)
    assert abs(noise.mean()) < Z * std / math.sqrt(n)
    assert abs(noise.var() / std**2 - 1) < Z * math.sqrt(2 / n)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_masking_sets_a_fraction_of_the_pixels_to_0(fraction):
    x = torch.full((200, 500), 0.7)
    y = Masking(fraction)(x, Generator().manual_seed(0))
    assert ((y == 0) | (y == x)).all()
    assert proportion_z(y == 0, fraction) < Z


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_salt_and_pepper_replaces_a_fraction_of_the_pixels_by_0_or_1(fraction):
    x = torch.full((200, 500), 0.7)
    y = SaltAndPepper(fraction)(x, Generator().manual_seed(0))
    assert ((y == 0) | (y == 1) | (y == x)).all()
    assert proportion_z(y != x, fraction) < Z
    assert proportion_z(y[y != x] == 1, 0.5) < Z


@pytest.mark.parametrize("kind", [Masking, SaltAndPepper])
def test_fractions_0_and_1(kind):
    x, generator = torch.full((50, 50), 0.7), Generator().manual_seed(0)
    assert torch.equal(kind(0.0)(x, generator), x)
    assert not (kind(1.0)(x, generator) == x).any()
