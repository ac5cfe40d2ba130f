"""Schedules as functions of the step; torch.optim.lr_scheduler is the oracle where it has an equivalent."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from vae_cli.engine.learning_rate import Constant, Cosine, Exponential, Inverse, Step, learning_rate_factor
from vae_cli.objectives.schedules import Beta, Temperature

STEPS = 50
ORACLES = {
    "constant": (Constant(0), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    "warm_up": (
        Constant(8),
        lambda o: lr_scheduler.LinearLR(o, start_factor=1 / 8, total_iters=7),
    ),
    "cosine": (Cosine(0.1, 0), lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.1)),
    "step": (Step(7, 0.3, 0), lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.3)),
    "exponential": (Exponential(0.02, 0), lambda o: lr_scheduler.ExponentialLR(o, gamma=math.exp(-0.02))),
    "inverse": (Inverse(0.02, 0), lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + 0.02 * step))),
}


@pytest.mark.parametrize("name", ORACLES)
def test_learning_rate_is_the_oracles_at_every_step(name):
    decay, make = ORACLES[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = make(optimizer)
    for step in range(STEPS + 1):
        assert learning_rate_factor(decay, step, STEPS) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("decay", "first", "middle", "last"),
    [
        (Constant(0), 1, 1, 1),
        (Cosine(0.0, 0), 1, 0.5, 0),
        (Cosine(0.2, 0), 1, 0.6, 0.2),
        (Step(25, 0.5, 0), 1, 0.5, 0.25),
        (Exponential(math.log(2) / 25, 0), 1, 0.5, 0.25),
        (Inverse(1 / 25, 0), 1, 1 / 2, 1 / 3),
    ],
    ids=str,
)
def test_values_at_the_ends_and_in_the_middle(decay, first, middle, last):
    found = [learning_rate_factor(decay, step, STEPS) for step in (0, STEPS // 2, STEPS)]
    assert found == pytest.approx([first, middle, last], abs=1e-12)


@pytest.mark.parametrize(
    "decay", [Constant(5), Cosine(0.1, 5), Step(2, 0.3, 5), Exponential(0.1, 5), Inverse(0.1, 5)]
)
def test_warm_up_multiplies_the_decay_from_one_over_n(decay):
    """1/n at the first step, never 0; whole from step n − 1 on."""
    without = decay._replace(warmup_steps=0)
    for step in range(12):
        expected = min(1, (step + 1) / 5) * learning_rate_factor(without, step, STEPS)
        assert learning_rate_factor(decay, step, STEPS) == pytest.approx(expected)
    assert learning_rate_factor(decay, 0, STEPS) == pytest.approx(1 / 5)


def test_a_run_of_no_steps_has_a_learning_rate():
    assert learning_rate_factor(Cosine(0.1, 0), 0, 0) == 1


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
    """Also below the minimum, which says only where annealing stops."""
    assert {Temperature(0.3, 0.0, minimum)(step) for step in (0, 1, 10**6)} == {0.3}
