"""Schedules of beta and temperature as functions of the step."""

import math

import pytest

from vae_cli.objectives.schedules import Beta, Temperature


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (Beta(2.0, 0, 0), [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]),
        (Beta(2.0, 4, 0), [0, 0.5, 1, 1.5, 2, 2, 2, 2, 2, 2]),
        (Beta(2.0, 4, 6), [0, 0.5, 1, 1.5, 2, 2, 0, 0.5, 1, 1.5]),
        (Beta(2.0, 0, 6), [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]),
        (Beta(0.0, 4, 6), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ],
    ids=str,
)
def test_beta_rises_from_zero_and_starts_again_each_cycle(beta, expected):
    assert [beta(step) for step in range(10)] == pytest.approx(expected)


@pytest.mark.parametrize("step", [0, 1, 10, 46, 47, 1000])
def test_temperature_decays_to_its_minimum(step):
    """max(minimum, initial · exp(−rate · step)): here it reaches ½ of 5 · e^(−0.05 step) after 46.05 steps."""
    assert Temperature(5.0, 0.05, 0.5)(step) == max(0.5, 5.0 * math.exp(-0.05 * step))
    assert (Temperature(5.0, 0.05, 0.5)(step) == 0.5) == (step > 46)


@pytest.mark.parametrize("minimum", [0.0, 0.1, 0.9])
def test_temperature_is_constant_at_rate_zero(minimum):
    """Also below the minimum, which only says where annealing stops."""
    assert {Temperature(0.3, 0.0, minimum)(step) for step in (0, 1, 10**6)} == {0.3}
