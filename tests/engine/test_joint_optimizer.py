"""One optimizer for many runs keeps its state in theirs."""

import torch
from engine.steps import new_state

from vae_cli.engine.joint_optimizer import joint_optimizers


def test_one_optimizer_a_class_and_one_group_for_equal_settings():
    states = [
        new_state(*overrides)
        for overrides in (("seed=1",), ("seed=2",), ("seed=3", "optimizer.lr=0.1"), ("optimizer=sgd",))
    ]
    optimizers, merged = joint_optimizers(states)
    assert [type(optimizer).__name__ for optimizer in optimizers] == ["Adam", "SGD"]
    assert [run for _, run in merged] == [0, 2, 3]
    counts = [len(state.experiment.parameters) for state in states]
    assert [len(group["params"]) for group, _ in merged] == [counts[0] + counts[1], counts[2], counts[3]]


def test_the_state_is_in_the_optimizer_that_owns_the_parameter():
    states = [new_state(f"seed={seed}") for seed in (1, 2)]
    (optimizer,), _ = joint_optimizers(states)
    for state in states:
        for parameter in state.experiment.parameters:
            parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for state in states:
        own = state.experiment.optimizer.state
        assert set(own) == set(state.experiment.parameters)
        assert all(int(of_parameter["step"]) == 1 for of_parameter in own.values())
