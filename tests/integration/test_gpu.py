"""What only a CUDA device can show. Skips, with the reason said, where there is none."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from vae_cli.build import build
from vae_cli.config.compose import accept, accept_evaluation, config_folder
from vae_cli.data.batches import batches, epoch_order
from vae_cli.engine.packed import PackedRuns
from vae_cli.engine.runtimes import Compile, Eager, Graph, Runtime
from vae_cli.engine.state import State, gradient_norm, train_step
from vae_cli.engine.trainable import SingleRun
from vae_cli.evaluation.evaluate import evaluate
from vae_cli.training.run import run

pytestmark = pytest.mark.gpu


def configured(*overrides: str) -> dict:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return accept(compose("config", overrides=["network.hidden=[32]", "data.limit=500", *overrides]))


@pytest.mark.parametrize("latent", ["gaussian", "bernoulli", "deterministic"])
def test_the_bound_is_the_same_on_both_devices(latent):
    """One model, one batch, one noise: float64 terms agree to rounding."""
    on_cpu, on_cuda = (
        build(configured(f"latent={latent}", f"device={d}", "precision=float64")) for d in ("cpu", "cuda")
    )
    torch.set_default_dtype(torch.float32)
    on_cuda.model.load_state_dict(on_cpu.model.state_dict())
    x = on_cpu.data.pixels(on_cpu.data.train.images[:50], torch.float64)
    noise = on_cpu.model.latent.noise((3, 50), torch.Generator().manual_seed(0), x)
    schedule = on_cpu.objective.schedule(0)
    here = on_cpu.objective(on_cpu.model, x, x, noise, schedule)
    there = on_cuda.objective(on_cuda.model, x.cuda(), x.cuda(), noise.cuda(), schedule)
    for a, b in zip(
        (here.loss, *here.reported.values()), (there.loss, *there.reported.values()), strict=True
    ):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-10, atol=1e-10)


def test_images_in_host_memory_give_the_same_batches():
    """data.placement=host copies ahead and changes nothing else."""
    device = torch.device("cuda")
    host = build(configured("device=cuda", "data.placement=host")).data.train.images
    assert host.device.type == "cpu"
    order = epoch_order(len(host), 0, 0, device)
    pairs = zip(batches(host, order, 128, device), batches(host.cuda(), order, 128, device), strict=True)
    assert all(torch.equal(a, b) and a.is_cuda for a, b in pairs)


def test_a_step_does_not_wait_for_the_device():
    """No .item(), copy to the host or branch on a tensor inside a step."""
    parts = build(configured("device=cuda"))
    state = State(parts, torch.Generator("cuda").manual_seed(0))
    images = parts.data.train.images[:128]
    train_step(state, images)  # the first one sets up the optimizer's state
    torch.cuda.set_sync_debug_mode("error")
    try:
        train_step(state, images)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_run_and_its_resumption(tmp_path: Path):
    """The whole of vae-train on the device, resumed once."""
    run(configured("device=cuda", "epochs=1", "nll_samples=5"), tmp_path)
    run(configured("device=cuda", "epochs=2", "nll_samples=5"), tmp_path)
    assert (tmp_path / "figures/samples.png").stat().st_size > 1000


TABLE = [
    (f"latent={z}", f"estimator={e}", f"likelihood={x}", "log_every=7")
    for z, e in [("gaussian", "pathwise"), ("gaussian", "reinforce"), ("bernoulli", "concrete"),
                 ("bernoulli", "straight_through"), ("bernoulli", "reinforce"), ("deterministic", "pathwise")]
    for x in ("bernoulli", "gaussian", "unit_gaussian", "continuous_bernoulli")
]  # fmt: skip
TABLE += [
    ("network=conv", "network.hidden=32"),
    ("optimizer=sgd", "schedule=cosine", "gradient_clip_norm=3", "objective.warmup_steps=9"),
    ("optimizer=rmsprop", "corruption=masking", "corruption.fraction=0.2"),
    ("optimizer=adamw", "latent=bernoulli", "estimator.anneal_rate=0.05"),
]


def trained(runtime: Runtime, *overrides: str, steps: int = 21) -> tuple[torch.Tensor, State]:
    """The rows of so many steps of 80 images, 7 an epoch, the last of 20; and the state they have led to."""
    parts = build(configured("device=cuda", "precision=float64", "batch_size=80", *overrides))
    torch.set_default_dtype(torch.float32)
    state, rows = State(parts, torch.Generator("cuda").manual_seed(0)), []
    runner = runtime(SingleRun(state))
    while state.step < steps:
        order = epoch_order(500, 0, state.step // 7, parts.device)
        rows += [runner(batch) for batch in runner.feed(order, lambda: 7 - state.step % 7)]
    return torch.cat(rows), state


@pytest.mark.parametrize("overrides", TABLE, ids=" ".join)
@pytest.mark.parametrize("runtime", [Graph(1, False), Graph(3, False)], ids=["one", "three at once"])
def test_captured_steps_are_the_eager_ones(overrides, runtime):
    """Rows, parameters, optimizer and generator after three epochs with a smaller last batch each."""
    (rows, state), (again, captured) = trained(Eager(), *overrides), trained(runtime, *overrides)
    torch.testing.assert_close(again, rows, rtol=1e-8, atol=1e-8)
    for key in ("model", "objective"):
        torch.testing.assert_close(captured.state_dict()[key], state.state_dict()[key], rtol=1e-7, atol=1e-7)
    assert torch.equal(captured.generator.get_state(), state.generator.get_state())
    torch.testing.assert_close(gradient_norm(captured), gradient_norm(state), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("runtime", [Compile(), Graph(3, True)], ids=["compiled", "compiled and captured"])
@pytest.mark.parametrize("latent", ["gaussian", "bernoulli"])
def test_compiled_steps_are_the_eager_ones(latent, runtime):
    rows, _ = trained(Eager(), f"latent={latent}")
    torch.testing.assert_close(trained(runtime, f"latent={latent}")[0], rows, rtol=1e-8, atol=1e-8)


def test_captured_steps_do_not_wait_for_the_device():
    """Nor does what is copied into them from the host."""
    parts = build(configured("device=cuda", "batch_size=80"))
    runner = Graph(3, False)(SingleRun(State(parts, torch.Generator("cuda").manual_seed(0))))
    batches = torch.arange(480, device="cuda").view(2, 3, 80)
    for _ in range(2):
        runner(batches[0])  # warms up, captures
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            runner(batches[1])
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_two_runs_of_one_seed_are_equal_bit_for_bit():
    (a, one), (b, other) = (
        trained(Graph(3, False), "latent=bernoulli", "precision=float32") for _ in range(2)
    )
    assert torch.equal(a, b)
    for x, y in zip(one.experiment.model.parameters(), other.experiment.model.parameters(), strict=True):
        assert torch.equal(x, y)


def test_a_captured_stack_is_its_members():
    """Three at once of three code sizes, learning rates and optimizers."""
    ways = [("seed=1",), ("seed=2", "latent.code_size=5", "optimizer.lr=0.01"), ("seed=3", "optimizer=sgd")]
    parts = [build(configured("device=cuda", "precision=float64", "batch_size=80", *way)) for way in ways]
    torch.set_default_dtype(torch.float32)
    stack = PackedRuns([State(each, torch.Generator("cuda").manual_seed(0)) for each in parts])
    runner, rows = Graph(3, False)(stack), []
    feed = Graph(3, False)(SingleRun(stack.states[0])).feed
    for epoch in range(3):
        order = epoch_order(500, 0, epoch, parts[0].device)
        rows += [runner([batch] * 3) for batch in feed(order, lambda: 7 - stack.states[0].step % 7)]
    for i, way in enumerate(ways):
        torch.testing.assert_close(torch.cat(rows)[:, i], trained(Eager(), *way)[0], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("latent", ["gaussian", "bernoulli"])
def test_a_run_is_evaluated_alike_on_both_devices(latent, tmp_path):
    """What needs no draw agrees to rounding, estimates within 4 standard errors."""
    config = configured(f"latent={latent}", "latent.code_size=6", "epochs=2", "device=cpu")
    run(config, tmp_path)
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(OmegaConf.create(config), tmp_path / ".hydra/config.yaml")
    figures = {}
    for device in ("cpu", "cuda"):
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            cfg = compose("eval", [f"run='{tmp_path}'", f"device={device}", "nll_samples=100", "samples=5"])
        figures[device] = evaluate(accept_evaluation(cfg), [])["figures"]
    drawn = set(figures["cpu"]) - {
        "rate",
        "nll_exact",
        "inference_gap",
        "active_units",
        "entropy",
        "distinct_codes",
    }
    for name, here in figures["cpu"].items():
        error = 4 * (here["standard_error"] or 0.0) if name in drawn else 0.0
        assert figures["cuda"][name]["value"] == pytest.approx(here["value"], rel=1e-3, abs=error), name
