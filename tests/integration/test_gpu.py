"""What only a CUDA device can show. Where there is none, the tests are skipped and the reason is given."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from conftest import configured
from engine.steps import LIKELIHOODS, of_pair
from hydra import compose, initialize_config_dir
from models.tables import PAIRS

from vae_cli.build import build
from vae_cli.config.compose import accept_evaluation
from vae_cli.config.schema.run import RunConfig
from vae_cli.config.yaml_comments import config_folder
from vae_cli.data.batches import Batches, epoch_order
from vae_cli.engine.experiment import Experiment
from vae_cli.engine.packed import PackedRuns
from vae_cli.engine.runtimes import Compile, Eager, Graph, Runtime
from vae_cli.engine.state import State
from vae_cli.engine.step import gradient_norm, train_step
from vae_cli.engine.trainable import SingleRun
from vae_cli.evaluation.evaluate import evaluate
from vae_cli.runs.folder import RunFolder
from vae_cli.training.run import run

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def default_dtype() -> Iterator[None]:
    """Building an experiment in float64 changes torch's default."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


def small(*overrides: str) -> RunConfig:
    return configured("network.hidden=[32]", "data.limit=500", *overrides)


def built(*overrides: str) -> Experiment:
    return build(small("device=cuda", *overrides))


def new_state(experiment: Experiment) -> State:
    return State(experiment, torch.Generator("cuda").manual_seed(0))


@pytest.mark.parametrize("latent", ["gaussian", "bernoulli", "categorical", "deterministic"])
def test_the_objective_is_the_same_on_both_devices(latent):
    """One model, one batch, one noise: float64 terms agree up to rounding."""
    on_cpu, on_cuda = (
        build(small(f"latent={latent}", f"device={device}", "precision=float64"))
        for device in ("cpu", "cuda")
    )
    on_cuda.model.load_state_dict(on_cpu.model.state_dict())
    x = on_cpu.data.pixels(on_cpu.data.train.images[:50], torch.float64)
    noise = on_cpu.model.latent.noise((3, 50), torch.Generator().manual_seed(0), x)
    schedule = on_cpu.objective.schedule(0)
    expected = on_cpu.objective(on_cpu.model, x, x, noise, schedule)
    terms = on_cuda.objective(on_cuda.model, x.cuda(), x.cuda(), noise.cuda(), schedule)
    assert terms.reported.keys() == expected.reported.keys()
    for name, values in (expected.reported | {"loss": expected.loss}).items():
        found = (terms.reported | {"loss": terms.loss})[name]
        torch.testing.assert_close(found.cpu(), values, rtol=1e-10, atol=1e-10)


def test_images_in_host_memory_give_the_same_batches():
    """data.placement=host copies one batch ahead, and changes nothing else."""
    device = torch.device("cuda")
    host = built("data.placement=host").data.train.images
    assert host.device.type == "cpu"
    order = epoch_order(len(host), 0, 0, device)
    pairs = zip(Batches(host, order, 128, device), Batches(host.cuda(), order, 128, device), strict=True)
    assert all(torch.equal(a, b) and a.is_cuda for a, b in pairs)


def test_a_step_does_not_wait_for_the_device():
    """No .item(), copy to the host or branch on a tensor inside a step."""
    state = new_state(built())
    images = state.experiment.data.train.images[:128]
    train_step(state, images)  # the first one sets up the optimizer's state
    torch.cuda.set_sync_debug_mode("error")
    try:
        train_step(state, images)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_run_and_its_resumption(tmp_path: Path):
    """The whole of vae-train on the device, resumed once."""
    run(small("device=cuda", "epochs=1", "nll_samples=5"), tmp_path)
    run(small("device=cuda", "epochs=2", "nll_samples=5"), tmp_path)
    assert (tmp_path / "figures/samples.png").stat().st_size > 1000


TABLE = [(*of_pair(z, e), f"likelihood={x}", "log_every=7") for z, e in PAIRS for x in LIKELIHOODS]
TABLE += [
    ("network=conv", "network.hidden=32"),
    ("optimizer=sgd", "schedule=cosine", "gradient_clip_norm=3", "objective.warmup_steps=9"),
    ("optimizer=rmsprop", "corruption=masking", "corruption.fraction=0.2"),
    ("optimizer=adamw", "latent=bernoulli", "estimator.anneal_rate=0.05"),
]
SMALL_BATCHES = ("precision=float64", "batch_size=80")  # an epoch has 7 batches, the last of 20 images


def trained(runtime: Runtime, *overrides: str, steps: int = 21) -> tuple[torch.Tensor, State]:
    """The metrics of so many steps, and the state after them."""
    experiment = built(*SMALL_BATCHES, *overrides)
    state, found = new_state(experiment), []
    runner = runtime(SingleRun(state))
    while state.step < steps:
        order = epoch_order(500, 0, state.step // 7, experiment.device)
        found += [runner(batch) for batch in runner.batches(order, lambda: 7 - state.step % 7)]
    return torch.cat(found), state


@pytest.mark.parametrize("overrides", TABLE, ids=" ".join)
@pytest.mark.parametrize("runtime", [Graph(1, False), Graph(3, False)], ids=["one", "three at once"])
def test_captured_steps_are_the_eager_ones(overrides, runtime):
    """Metrics, parameters and generator after three epochs with a smaller last batch each."""
    (metrics, state), (found, captured) = trained(Eager(), *overrides), trained(runtime, *overrides)
    torch.testing.assert_close(found, metrics, rtol=1e-8, atol=1e-8)
    for key in ("model", "objective"):
        torch.testing.assert_close(captured.state_dict()[key], state.state_dict()[key], rtol=1e-7, atol=1e-7)
    assert torch.equal(captured.generator.get_state(), state.generator.get_state())
    torch.testing.assert_close(gradient_norm(captured), gradient_norm(state), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("runtime", [Compile(), Graph(3, True)], ids=["compiled", "compiled and captured"])
@pytest.mark.parametrize("latent", ["gaussian", "bernoulli", "categorical"])
def test_compiled_steps_are_the_eager_ones(latent, runtime):
    metrics, _ = trained(Eager(), f"latent={latent}")
    torch.testing.assert_close(trained(runtime, f"latent={latent}")[0], metrics, rtol=1e-8, atol=1e-8)


def test_captured_steps_do_not_wait_for_the_device():
    """Nor do the copies from the host to their tensors."""
    runner = Graph(3, False)(SingleRun(new_state(built("batch_size=80"))))
    batches = torch.arange(480, device="cuda").view(2, 3, 80)
    for _ in range(2):
        runner(batches[0])  # warms up, then captures
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
    for x, y in zip(one.experiment.parameters, other.experiment.parameters, strict=True):
        assert torch.equal(x, y)


def test_captured_packed_runs_make_the_steps_of_each():
    """Three steps at once of three code sizes, learning rates and optimizers."""
    runs = [("seed=1",), ("seed=2", "latent.code_size=5", "optimizer.lr=0.01"), ("seed=3", "optimizer=sgd")]
    packed = PackedRuns([new_state(built(*SMALL_BATCHES, *overrides)) for overrides in runs])
    (first, *_), runner, found = packed.states, Graph(3, False)(packed), []
    single = Graph(3, False)(SingleRun(first))  # gives the batches
    for epoch in range(3):
        order = epoch_order(500, 0, epoch, first.experiment.device)
        found += [runner([batch] * 3) for batch in single.batches(order, lambda: 7 - first.step % 7)]
    for i, overrides in enumerate(runs):
        metrics, _ = trained(Eager(), *overrides)
        torch.testing.assert_close(torch.cat(found)[:, i], metrics, rtol=1e-8, atol=1e-8)


WITHOUT_DRAWS = {"rate", "nll_exact", "inference_gap", "active_units", "entropy", "distinct_codes"}


@pytest.mark.parametrize("latent", ["gaussian", "bernoulli", "categorical"])
def test_an_evaluation_agrees_on_both_devices(latent, tmp_path):
    """Metrics without random draws agree up to rounding, estimates within 4 standard errors."""
    config = small(f"latent={latent}", "latent.code_size=6", "epochs=2", "device=cpu")
    run(config, tmp_path)
    RunFolder(tmp_path).record(config=yaml.safe_dump(config.plain()), overrides="[]")
    found = {}
    for device in ("cpu", "cuda"):
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            cfg = compose("eval", [f"run='{tmp_path}'", f"device={device}", "nll_samples=100", "samples=5"])
        found[device] = evaluate(accept_evaluation(cfg), [])["figures"]
    for name, on_cpu in found["cpu"].items():
        error = 0.0 if name in WITHOUT_DRAWS else 4 * (on_cpu["standard_error"] or 0.0)
        assert found["cuda"][name]["value"] == pytest.approx(on_cpu["value"], rel=1e-3, abs=error), name
