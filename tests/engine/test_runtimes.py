"""However steps are made, they are those of `vae_cli.engine.state.train_step`, with the same draws.

TracedGradient ones bit for bit. CompiledGradient and captured ones up to rounding, in float64: there a learning rate, beta and
temperature are tensors. What is captured is called here in place of a replay, so that on a CPU all but the CUDA graph itself
is the code that runs on CUDA; tests/test_gpu.py captures.
"""

import functools
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from vae_cli.build import build
from vae_cli.config.compose import accept, config_folder, saved_config
from vae_cli.config.diff import differences
from vae_cli.config.schema.run import RunConfig
from vae_cli.data.batches import epoch_order
from vae_cli.engine import runtimes
from vae_cli.engine.cuda_graph import WARM_UP, CudaGraphRunner
from vae_cli.engine.gradients import CompiledGradient, TracedGradient
from vae_cli.engine.packed import PackedRuns
from vae_cli.engine.runtimes import Auto, Compile, Eager, Graph, OneByOne
from vae_cli.engine.state import State, train_step
from vae_cli.engine.trainable import SingleRun, Trainable
from vae_cli.errors import Interrupted, UserError
from vae_cli.runs import checkpoint
from vae_cli.training import run, trainer

SUBSET = Path(__file__).parents[1] / "data"
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
def composed(*overrides: str) -> RunConfig:
    base = [key for key in SMALL if not any(o.startswith("data=") for o in overrides) or key[:5] != "data."]
    return accept(hydra.compose("config", [*base, *overrides]))


def solo(*overrides: str) -> SingleRun:
    config = composed(*overrides)
    return SingleRun(State(build(config), torch.Generator().manual_seed(config.seed)))


def called(steps: Callable[[], None], states: Sequence[State]) -> Callable[[], None]:
    """In place of a capture: what replays the steps is the steps."""
    return steps


def fed(runner: Any, steps: int, log_every: int = 1000) -> torch.Tensor:
    """The rows of so many steps, fed as vae_cli.training.trainer feeds them."""
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
    """The rows and the state after STEPS steps of vae_cli.engine.state.train_step itself."""
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
    assert torch.equal(fed(OneByOne(body, "", TracedGradient(body)), STEPS), rows)
    assert_same(everything(body.states[0]), expected, 0)


@pytest.mark.parametrize("overrides", TABLE)
def test_captured_steps_are_the_specified_ones(overrides):
    """Four at a time where the log lines leave room for them, single ones and the smaller last batch elsewhere."""
    body = solo(*overrides)
    runner = CudaGraphRunner(body, 4, None, called)
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
    compiled, rows = CompiledGradient(body), specified(*overrides)[0]
    n = 14
    assert_same(fed(OneByOne(body, "", compiled), n), rows[:n], 1e-9)
    torch.compiler.reset()


def test_steps_compiled_for_real_are_the_specified_ones():
    """With torch's own code generator, once: schedules move, and nothing is compiled anew for them."""
    body = solo(*ALL_MOVES)
    compiled, rows = CompiledGradient(body), specified(*ALL_MOVES)[0]
    with torch._dynamo.config.patch(error_on_recompile=True):
        assert_same(fed(OneByOne(body, "", compiled), 14), rows[:14], 1e-9)
    torch.compiler.reset()


@pytest.mark.parametrize("capture", [None, called], ids=["recorded", "captured"])
def test_a_stack_is_made_by_the_same_runners(capture):
    """Three members of three code sizes and two optimizers, four steps at a time."""
    ways = [("seed=1",), ("seed=2", "latent.code_size=5", "optimizer=sgd", "optimizer.lr=0.001"),
            ("seed=3", "latent.code_size=2", "objective.beta=2", "schedule=cosine")]  # fmt: skip
    stack = PackedRuns([solo(*way).states[0] for way in ways])
    runner = (
        CudaGraphRunner(stack, 4, None, capture) if capture else OneByOne(stack, "", TracedGradient(stack))
    )
    feeds = [CudaGraphRunner(SingleRun(state), 4, None, called) for state in stack.states]
    if not capture:
        feeds = [OneByOne(SingleRun(state), "") for state in stack.states]
    rows = []
    for epoch in range(2):
        orders = [epoch_order(100, 0, epoch, torch.device("cpu"))] * 3
        batches = [feed.feed(order, lambda: 100) for feed, order in zip(feeds, orders, strict=True)]
        rows += [runner(list(batch)) for batch in zip(*batches, strict=True)]
    for i, way in enumerate(ways):
        assert_same(torch.cat(rows)[:, i], specified(*way)[0][:26], 1e-9)
        assert stack.states[i].step == 26
        assert stack.states[i].experiment.optimizer.param_groups[0]["lr"] == pytest.approx(
            stack.states[i].experiment.dials(25).learning_rate
        )


def test_a_feed_ends_at_each_log_line():
    """Five at a time where the next line is far enough away; every image once, in order."""
    body = solo()
    runner = CudaGraphRunner(body, 5, None, called)
    order, sizes = torch.randperm(100), []
    seen = []
    for indices in runner.feed(order, lambda: 7 - body.states[0].step % 7):
        sizes.append(tuple(indices.shape))
        seen.append(indices.flatten())
        body.states[0].step += len(indices)
    assert sizes == [(5, 8), (1, 8), (1, 8), (5, 8), (1, 4)]
    assert torch.equal(torch.cat(seen), order)


def test_no_captured_step_is_made_before_three_that_are_not():
    """Nor does a capture, which executes nothing, count as a step."""
    body, made = solo(), []

    def capture(steps: Callable[[], None], states: Sequence[State]) -> Callable[[], None]:
        made.append(states[0].step)
        return steps

    fed(CudaGraphRunner(body, 1, None, capture), 6)
    assert made == [WARM_UP] and body.states[0].step == 6


# --- whole runs -----------------------------------------------------------------------------------------------------


def captured_on_a_cpu(body: Trainable) -> CudaGraphRunner:
    return CudaGraphRunner(body, 4, None, called)


def contents(folder: Path) -> dict[str, Any]:
    """Without what a clock says, and without the name of the runtime."""
    told = {name: checkpoint.load(folder / f"checkpoints/{name}.pt") for name in ("last", "best")}
    for state in told.values():
        del state["seconds"], state["config"]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("examples_per_second", None)
    return told | {"metrics": lines}


def assert_alike(a: Any, b: Any) -> None:
    """Numbers to 1e-9, all else equal."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_alike(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_alike(x, y)
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-9)
    else:
        assert_same(a, b, 1e-9)


@pytest.mark.parametrize("log_every", [1, 7, 50])
def test_a_run_of_captured_steps_is_the_run(tmp_path, monkeypatch, log_every):
    """Checkpoints, and every figure at its step."""
    run.run(composed(*ALL_MOVES, f"log_every={log_every}", "runtime=eager"), tmp_path / "eager")
    monkeypatch.setattr(runtimes.Eager, "__call__", lambda self, body: captured_on_a_cpu(body))
    run.run(composed(*ALL_MOVES, f"log_every={log_every}", "runtime=eager"), tmp_path / "captured")
    assert_alike(contents(tmp_path / "captured"), contents(tmp_path / "eager"))


def test_a_run_of_captured_steps_goes_on_where_it_was(tmp_path, monkeypatch):
    """Interrupted between two log lines, in the middle of an epoch; also when eager steps go on."""
    captured = runtimes.Eager.__call__, lambda self, body: captured_on_a_cpu(body)
    config = composed("log_every=5", "runtime=eager")
    run.run(config, tmp_path / "whole")
    for after, folder in zip(captured, ("eager", "captured"), strict=True):
        make = trainer.Steps.__call__

        def disturbed(asked: trainer.Steps, make: Any = make) -> torch.Tensor:
            rows = make(asked)
            if asked.trainer.state.step == 24:
                signal.raise_signal(signal.SIGTERM)
            return rows

        with monkeypatch.context() as patch:
            patch.setattr(runtimes.Eager, "__call__", captured[1])
            patch.setattr(trainer.Steps, "__call__", disturbed)
            with pytest.raises(Interrupted):
                run.run(config, tmp_path / folder)
        assert checkpoint.load(tmp_path / folder / "checkpoints/last.pt")["step"] == 24
        with monkeypatch.context() as patch:
            patch.setattr(runtimes.Eager, "__call__", after)
            run.run(config, tmp_path / folder)
        assert_alike(contents(tmp_path / folder), contents(tmp_path / "whole"))


# --- runtime= -------------------------------------------------------------------------------------------------------


def test_auto_records_on_a_cpu_where_there_are_steps_enough(monkeypatch):
    assert Auto(steps=10)(solo()).says == "eager"
    monkeypatch.setattr(runtimes, "PAYS_BACK", 39)
    assert Auto(steps=10)(solo()).says == "loss and gradient recorded"


def test_a_runtime_is_chosen_by_the_configuration():
    for name, kind in (("auto", Auto), ("eager", Eager), ("compile", Compile), ("graph", Graph)):
        assert isinstance(solo(f"runtime={name}").states[0].experiment.runtime, kind)
    assert composed("runtime=graph", "runtime.steps=25").runtime.arguments()["steps"] == 25
    with pytest.raises(UserError, match=r"runtime\.steps=0 is not allowed"):
        composed("runtime=graph", "runtime.steps=0")


def test_what_a_cuda_graph_cannot_hold_is_said():
    assert "optimizer" in str(runtimes.reason_against_capture(on_the_device(solo("optimizer=adagrad"))))
    assert runtimes.reason_against_capture(on_the_device(solo())) is None
    assert "data.placement" in str(runtimes.reason_against_capture(solo()))


def on_the_device(body: SingleRun) -> SingleRun:
    """As far as reason_against_capture asks: images that are not in host memory."""
    state = body.states[0]
    data = state.experiment.data
    train = data.train._replace(images=data.train.images.to("meta"))
    state.experiment = state.experiment._replace(data=data._replace(train=train))
    return body


def test_a_run_from_before_there_was_a_choice_is_read(tmp_path):
    """It has no runtime in its configuration, and gets the default; another runtime is not another configuration."""
    (tmp_path / ".hydra").mkdir()
    cfg = hydra.compose("config", ["runtime=eager"])
    new = accept(cfg)
    del cfg.runtime
    (tmp_path / ".hydra/config.yaml").write_text(OmegaConf.to_yaml(cfg))
    old = accept(saved_config(tmp_path))
    assert old["runtime"]["name"] == "auto"
    assert differences(old, new) == []
