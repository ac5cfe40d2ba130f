"""Steps with a traced gradient are the specified ones bit for bit; with a compiled one up to rounding, because there the
learning rate, beta and temperature are tensors."""

import functools
import os
import tempfile
from pathlib import Path

import pytest
import torch
from engine.steps import (
    ALL_SCHEDULES,
    COMPILED_TABLE,
    GRADIENT_TABLE,
    STEPS,
    changed,
    make_steps,
    single_run,
    specified,
)
from run_comparison import assert_equal

from vae_cli.engine.gradients import CompiledGradient, TracedGradient, use_private_cache
from vae_cli.engine.runners import StepByStep


@pytest.mark.parametrize("overrides", GRADIENT_TABLE)
def test_traced_steps_are_the_specified_ones_bit_for_bit(overrides):
    trainable = single_run(*overrides)
    metrics, after = specified(*overrides)
    runner = StepByStep(trainable, "", TracedGradient(trainable))
    assert torch.equal(make_steps(runner, trainable.state, STEPS), metrics)
    assert_equal(changed(trainable.state), after)


@pytest.mark.parametrize("overrides", COMPILED_TABLE)
def test_compiled_steps_are_the_specified_ones(overrides, monkeypatch):
    """Traced and differentiated as by torch.compile, but without its code generator, which takes half a minute."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    trainable = single_run(*overrides)
    runner = StepByStep(trainable, "", CompiledGradient(trainable))
    assert_equal(make_steps(runner, trainable.state, 14), specified(*overrides)[0][:14], 1e-9)
    torch.compiler.reset()


def test_steps_compiled_by_the_code_generator_are_the_specified_ones():
    """Scheduled values change, and none of them causes another compilation."""
    trainable = single_run(*ALL_SCHEDULES)
    runner = StepByStep(trainable, "", CompiledGradient(trainable))
    with torch._dynamo.config.patch(error_on_recompile=True):
        assert_equal(make_steps(runner, trainable.state, 14), specified(*ALL_SCHEDULES)[0][:14], 1e-9)
    torch.compiler.reset()


def test_a_parameter_that_the_loss_does_not_use_has_no_gradient():
    """As with the eager gradient. A user's own objective may have such a parameter."""
    trainable = single_run()
    trainable.module.objective.register_parameter("unused", torch.nn.Parameter(torch.ones(2)))
    trainable = type(trainable)(trainable.state)
    make_steps(StepByStep(trainable, "", TracedGradient(trainable)), trainable.state, 2)
    gradients = [leaf.grad for leaf in trainable.leaves]
    assert sum(gradient is None for gradient in gradients) == 1
    assert trainable.module.objective.unused.grad is None


@pytest.mark.parametrize("home", ["usable", "a file"])
def test_compiled_code_is_kept_where_no_stranger_can_put_some(monkeypatch, tmp_path, home):
    """torch's own choice is a folder with a known name in the system's temporary directory."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "the user's choice")
    use_private_cache()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "the user's choice"
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if home == "a file":
        (tmp_path / "home").write_text("")
    use_private_cache()
    cache = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    assert cache.is_relative_to(tmp_path) and not cache.name.startswith("torchinductor_")
    assert cache.stat().st_mode & 0o077 == 0
    assert (home == "usable") == cache.is_relative_to(tmp_path / "home")
