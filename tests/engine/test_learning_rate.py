"""Learning-rate schedules. torch.optim.lr_scheduler is the oracle where it has an equivalent."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from vae_cli.engine.learning_rate import (
    Constant,
    Cosine,
    Exponential,
    Inverse,
    Stages,
    Step,
    learning_rate_factor,
)

STEPS = 50
ORACLES = {
    "constant": (Constant(0), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    "warm_up": (
        Constant(8),
        lambda o: lr_scheduler.LinearLR(o, start_factor=1 / 8, total_iters=7),
    ),
    "cosine": (Cosine(0.1, 0), lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.1)),
    "step": (Step(7, 0.3, 0), lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.3)),
    "stages": (
        Stages(5, 2, 0.3, 0),
        lambda o: lr_scheduler.MultiStepLR(o, milestones=[5, 15, 35], gamma=0.3),
    ),
    "exponential": (Exponential(0.02, 0), lambda o: lr_scheduler.ExponentialLR(o, gamma=math.exp(-0.02))),
    "inverse": (Inverse(0.02, 0), lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + 0.02 * step))),
}


@pytest.mark.parametrize("name", ORACLES)
def test_the_learning_rate_is_that_of_torch_at_every_step(name):
    decay, make = ORACLES[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    for step in range(STEPS + 1):
        assert learning_rate_factor(decay, step, STEPS) == pytest.approx(
            scheduler.get_last_lr()[0], abs=1e-12
        )
        optimizer.step()
        scheduler.step()


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
    "decay",
    [
        Constant(5),
        Cosine(0.1, 5),
        Step(2, 0.3, 5),
        Stages(2, 2, 0.3, 5),
        Exponential(0.1, 5),
        Inverse(0.1, 5),
    ],
)
def test_warm_up_multiplies_the_decay_from_one_over_n(decay):
    """1/n at the first step, so never 0, and 1 from step n − 1 on."""
    without = decay._replace(warmup_steps=0)
    for step in range(12):
        expected = min(1, (step + 1) / 5) * learning_rate_factor(without, step, STEPS)
        assert learning_rate_factor(decay, step, STEPS) == pytest.approx(expected)
    assert learning_rate_factor(decay, 0, STEPS) == pytest.approx(1 / 5)


def test_a_run_of_no_steps_has_a_learning_rate():
    assert learning_rate_factor(Cosine(0.1, 0), 0, 0) == 1
