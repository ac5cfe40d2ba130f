"""However steps are made, they are those of `vae_cli.state.train_step`, with the same draws.

Recorded ones bit for bit. Compiled and captured ones up to rounding, in float64: there a learning rate, beta and
temperature are tensors. What is captured is called here in place of a replay, so that on a CPU all but the CUDA graph itself
is the code that runs on CUDA; tests/test_gpu.py captures.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from vae_cli import run
from vae_cli.accelerate import OneByOne
from vae_cli.body import Solo
from vae_cli.build import build
from vae_cli.captured import Captured
from vae_cli.config import accept, config_folder
from vae_cli.data import epoch_order
from vae_cli.gradients import Compiled, Recorded
from vae_cli.state import State, train_step

SUBSET = Path(__file__).parent / "data"
SMALL = (
    "data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]",
    "data.train_size=100", "data.validation_size=20", "data.test_size=20",  # 13 batches, the last of 4 images
    "network.hidden=[8]", "latent.code_size=3", "batch_size=8", "epochs=3", "nll_samples=4", "optimizer.lr=0.01",
    "precision=float64",
)  # fmt: skip
PAIRS = [
    ("gaussian", "pathwise"), ("gaussian", "reinforce"), ("bernoulli", "concrete"), ("bernoulli", "straight_through"),
    ("bernoulli", "reinforce"), ("deterministic", "pathwise"),
]  # fmt: skip
LIKELIHOODS = ["bernoulli", "gaussian", "unit_gaussian", "continuous_bernoulli"]
TABLE = [
    pytest.param((f"latent={z}", f"estimator={e}", f"likelihood={x}"), id=f"{z}-{e}-{x}")
    for z, e in PAIRS
    for x in LIKELIHOODS
]
ALL_MOVES = ("schedule=cosine", "schedule.warmup_steps=5", "objective.warmup_steps=9", "objective.cycle_steps=11",
             "latent=bernoulli", "estimator.anneal_rate=0.05", "gradient_clip_norm=3")  # fmt: skip
OTHERS = {
    "all that moves": ALL_MOVES,
    "several samples, free bits": ("objective.samples=3", "objective.free_bits=0.05"),
    "leave one out": ("latent=bernoulli", "estimator=reinforce", "estimator.baseline=leave_one_out",
                      "objective.samples=3"),
    "convolutions": ("network=conv", "network.channels=[4,8]", "network.hidden=12"),
    "corruption": ("corruption=salt_and_pepper", "corruption.fraction=0.3"),
    "dynamic binarization": ("data=mnist", f"data.root={SUBSET}", "data.binarization=dynamic", "data.limit=100",
                             "data.validation_size=100"),
    "adamw": ("optimizer=adamw",),
    "sgd": ("optimizer=sgd", "optimizer.lr=0.001", "schedule=inverse", "schedule.rate=0.1"),
    "rmsprop": ("optimizer=rmsprop", "optimizer.lr=0.001"),
    "adagrad": ("optimizer=adagrad",),
}  # fmt: skip
TABLE += [pytest.param(overrides, id=name) for name, overrides in OTHERS.items()]
STEPS = 2 * 13 + 5


@pytest.fixture(scope="module", autouse=True)
def hydra_config() -> Iterator[None]:
    before = torch.get_default_dtype()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield
    torch.set_default_dtype(before)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "draw", lambda parts, folder: None)


@functools.cache
def composed(*overrides: str) -> dict[str, Any]:
    base = [key for key in SMALL if not any(o.startswith("data=") for o in overrides) or key[:5] != "data."]
    return accept(hydra.compose("config", [*base, *overrides]))


def solo(*overrides: str) -> Solo:
    config = composed(*overrides)
    return Solo(State(build(config), torch.Generator().manual_seed(config["seed"])))


def called(steps: Callable[[], None], states: Sequence[State]) -> Callable[[], None]:
    """In place of a capture: what replays the steps is the steps."""
    return steps


def fed(runner: Any, steps: int, log_every: int = 1000) -> torch.Tensor:
    """The rows of so many steps, fed as vae_cli.train feeds them."""
    state, rows = runner.body.states[0], []
    parts = state.experiment
    while state.step < steps:
        epoch, position = divmod(state.step, parts.steps_per_epoch)
        order = epoch_order(len(parts.data.train.images), 0, epoch, parts.device)
        order = order[position * parts.settings.batch_size :]
        for batch in runner.feed(order, lambda: log_every - state.step % log_every):
            rows.append(runner(batch))
            if state.step >= steps:
                break
    return torch.cat(rows)[:steps]


def everything(state: State) -> dict[str, Any]:
    """What a step changes."""
    saved = state.state_dict()
    return {key: saved[key] for key in ("model", "objective", "optimizer", "generator", "step")}


def assert_same(a: Any, b: Any, tolerance: float) -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key], tolerance)
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y, tolerance)
    elif isinstance(a, torch.Tensor):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    else:
        assert type(a) is type(b) and a == b


@functools.cache
def specified(*overrides: str) -> tuple[torch.Tensor, dict[str, Any]]:
    """The rows and the state after STEPS steps of vae_cli.state.train_step itself."""
    body = solo(*overrides)
    runner = OneByOne(body, "")
    state, parts = body.states[0], body.states[0].experiment
    rows: list[torch.Tensor] = []
    while state.step < STEPS:
        order = epoch_order(
            len(parts.data.train.images), 0, state.step // parts.steps_per_epoch, parts.device
        )
        for images in runner.feed(order, lambda: 1):
            rows.append(train_step(state, images))
            if state.step == STEPS:
                break
    return torch.stack(rows), everything(state)


@pytest.mark.parametrize("overrides", TABLE)
def test_recorded_steps_are_the_specified_ones_bit_for_bit(overrides):
    body = solo(*overrides)
    rows, expected = specified(*overrides)
    assert torch.equal(fed(OneByOne(body, "", Recorded(body)), STEPS), rows)
    assert_same(everything(body.states[0]), expected, 0)


@pytest.mark.parametrize("overrides", TABLE)
def test_captured_steps_are_the_specified_ones(overrides):
    """Four at a time where the log lines leave room for them, single ones and the smaller last batch elsewhere."""
    body = solo(*overrides)
    runner = Captured(body, 4, None, called)
    rows, expected = specified(*overrides)
    assert_same(fed(runner, STEPS, log_every=7)[: len(rows)], rows, 1e-9)
    assert sorted(runner.programs) == [(1, 4), (1, 8), (4, 8)]
    if body.states[0].step == STEPS:
        assert_same(everything(body.states[0]), expected, 1e-9)


@pytest.mark.parametrize("overrides", TABLE)
def test_compiled_steps_are_the_specified_ones(overrides, monkeypatch):
    """Traced and differentiated as torch.compile does it, but without its code generator, which takes half a minute."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    body = solo(*overrides)
    compiled, rows = Compiled(body), specified(*overrides)[0]
    n = 14
    assert_same(fed(OneByOne(body, "", compiled), n), rows[:n], 1e-9)
    torch.compiler.reset()
