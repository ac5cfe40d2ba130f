"""The choice of a runner by `runtime=`."""

import pytest
from engine.steps import new_state, single_run, small

from vae_cli.build import build_runtime
from vae_cli.engine import runtimes
from vae_cli.engine.runtimes import Auto, Compile, Eager, Graph, reason_against_capture
from vae_cli.engine.trainable import SingleRun
from vae_cli.errors import UserError


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
