"""What only a CUDA device can show. Skips, with the reason said, where there is none."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from vae_cli.build import build
from vae_cli.config import accept, accept_evaluation, config_folder
from vae_cli.data import batches, epoch_order
from vae_cli.publish import evaluate
from vae_cli.run import run
from vae_cli.state import State, train_step

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
    here = on_cpu.objective(on_cpu.model, x, x, noise)
    there = on_cuda.objective(on_cuda.model, x.cuda(), x.cuda(), noise.cuda())
    for a, b in zip(here, there, strict=True):
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
    run(configured("device=cuda", "epochs=1", "nll_samples=5"), tmp_path, progress=False)
    run(configured("device=cuda", "epochs=2", "nll_samples=5"), tmp_path, resume=True, progress=False)
    assert (tmp_path / "figures/samples.png").stat().st_size > 1000


@pytest.mark.parametrize("latent", ["gaussian", "bernoulli"])
def test_a_run_is_evaluated_alike_on_both_devices(latent, tmp_path):
    """What needs no draw agrees to rounding, estimates within 4 standard errors."""
    config = configured(f"latent={latent}", "latent.code_size=6", "epochs=2", "device=cpu")
    run(config, tmp_path, progress=False)
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
