"""Steps of a CUDA graph are the specified ones. On a CPU they are executed instead of replayed, so that all code but the
capture itself is tested here; tests/integration/test_gpu.py captures."""

from collections.abc import Callable, Sequence

import pytest
import torch
from engine.steps import STEPS, TABLE, changed, execute, make_steps, single_run, specified
from run_comparison import assert_equal

from vae_cli.engine.cuda_graph import WARM_UP, CudaGraphRunner
from vae_cli.engine.state import State


@pytest.mark.parametrize("overrides", TABLE)
def test_captured_steps_are_the_specified_ones(overrides):
    """Four at a time where the next log line is far enough away, else single ones and the smaller last batch."""
    trainable = single_run(*overrides)
    runner = CudaGraphRunner(trainable, 4, None, execute)
    metrics, after = specified(*overrides)
    assert_equal(make_steps(runner, trainable.state, STEPS, log_every=7), metrics, 1e-9)
    assert sorted(runner.programs) == [(1, 4), (1, 8), (4, 8)]
    assert trainable.state.step == STEPS
    assert_equal(changed(trainable.state), after, 1e-9)


def test_a_batch_ends_at_each_log_line():
    """Five steps at a time where the next line is far enough away; every image once, in order."""
    trainable = single_run()
    runner = CudaGraphRunner(trainable, 5, None, execute)
    order, batches = torch.randperm(100), []
    for indices in runner.batches(order, lambda: 7 - trainable.state.step % 7):
        batches.append(indices)
        trainable.state.step += len(indices)
    assert [tuple(indices.shape) for indices in batches] == [(5, 8), (1, 8), (1, 8), (5, 8), (1, 4)]
    assert torch.equal(torch.cat([indices.flatten() for indices in batches]), order)


def test_three_steps_precede_the_first_capture():
    """A capture makes no step."""
    trainable, captured_at = single_run(), []

    def capture(steps: Callable[[], None], states: Sequence[State]) -> Callable[[], None]:
        captured_at.append(states[0].step)
        return steps

    make_steps(CudaGraphRunner(trainable, 1, None, capture), trainable.state, 6)
    assert captured_at == [WARM_UP] and trainable.state.step == 6


def test_the_optimizer_has_the_learning_rate_of_the_last_step_as_a_number():
    """A checkpoint holds it."""
    trainable = single_run("schedule=cosine")
    make_steps(CudaGraphRunner(trainable, 4, None, execute), trainable.state, 12)
    (group,) = trainable.state.experiment.optimizer.param_groups
    assert group["lr"] == trainable.state.experiment.step_schedule(11).learning_rate
