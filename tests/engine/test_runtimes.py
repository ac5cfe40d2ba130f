"""The choice of a runner by `runtime=`."""

import pytest
import torch
from engine.steps import make_steps, new_state, single_run, small
from torch._inductor import config as inductor

from vae_cli.build import build_runtime
from vae_cli.engine import runtimes
from vae_cli.engine.runtimes import Auto, Compile, Eager, Graph, reason_against_capture
from vae_cli.engine.trainable import SingleRun
from vae_cli.errors import RunFailed, UserError


def test_auto_traces_on_a_cpu_where_there_are_enough_steps(monkeypatch):
    assert Auto(steps=10)(single_run()).description == "eager"
    monkeypatch.setattr(runtimes, "STEPS_WORTH_TRACING", 39)
    assert Auto(steps=10)(single_run()).description == "loss and gradient traced"


@pytest.mark.parametrize(
    ("name", "kind"), [("auto", Auto), ("eager", Eager), ("compile", Compile), ("graph", Graph)]
)
def test_the_configuration_chooses(name, kind):
    assert isinstance(build_runtime(small(f"runtime={name}")), kind)


def test_the_configuration_says_how_many_steps_a_graph_has():
    assert build_runtime(small("runtime=graph", "runtime.steps=25")) == Graph(25, compile=False)
    with pytest.raises(UserError, match=r"runtime\.steps=0 is not allowed"):
        small("runtime=graph", "runtime.steps=0")


def with_images_on_a_device(*overrides: str) -> SingleRun:
    """A run whose images are not in host memory, which is all that reason_against_capture asks."""
    state = new_state(*overrides)
    data = state.experiment.data
    train = data.train._replace(images=data.train.images.to("meta"))
    state.experiment = state.experiment._replace(data=data._replace(train=train))
    return SingleRun(state)


def test_the_reason_against_a_capture_is_given():
    assert "optimizer" in str(reason_against_capture(with_images_on_a_device("optimizer=adagrad")))
    assert "data.placement" in str(reason_against_capture(single_run()))
    assert reason_against_capture(with_images_on_a_device()) is None


@pytest.mark.parametrize("compiler", ["", "no-such-compiler", "false"])
def test_a_missing_compiler_is_said_before_the_first_step(compiler):
    for runtime in (Compile(), Graph(10, compile=True)):
        with (
            inductor.patch("cpp.cxx", (None, compiler)),
            pytest.raises(UserError, match=r"needs a C\+\+ compiler .* runtime=eager needs none"),
        ):
            runtime(single_run())


def test_a_compiler_that_fails_ends_the_run_in_one_sentence(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("cannot write\nCommand: g++")

    state = new_state()
    runner = Compile()(SingleRun(state))
    monkeypatch.setattr(torch._inductor.compile_fx, "compile_fx", fail)
    with pytest.raises(RunFailed, match=r"^this step cannot be compiled: cannot write; .*runtime=eager"):
        make_steps(runner, state, 1)
