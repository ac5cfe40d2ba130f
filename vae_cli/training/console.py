"""What a person sees of a run: its first lines, its pictures and the table at its end."""

import logging
from pathlib import Path
from typing import Any

import torch

from vae_cli.engine.state import Experiment
from vae_cli.reporting import notices, plots, previews
from vae_cli.reporting.table import aligned

log = logging.getLogger("vae_cli")

SAMPLE_SIDE = 20  # samples.png is 20 × 20


def draw(parts: Experiment, folder: Path) -> None:
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    data, model, config = parts.data, parts.model, parts.config
    what = f"{config.data.name}, {config.latent.name} code of {model.latent.code_size}"
    origin = previews.origin_of_samples(model)
    samples = previews.prior_samples(model, data, SAMPLE_SIDE**2)
    title = f"{SAMPLE_SIDE} × {SAMPLE_SIDE} decoded codes from {origin}: {what}"
    plots.save(figures / "samples.png", plots.grid(samples, data.shape, SAMPLE_SIDE, magnify=2), title)
    images = previews.observed_and_reconstructed(model, data)
    rows = plots.grid(images, data.shape, len(images) // 2, magnify=3)
    title = f"test images and their reconstructions: {what}"
    plots.save(figures / "reconstructions.png", rows, title, ("observation", "reconstruction"))


def announce(parts: Experiment, runtime: str, folder: Path, step: int) -> None:
    """The first lines on the console."""
    data, config, device = parts.data, parts.config, parts.device
    where = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    )
    chosen = " (auto)" if config.runtime.name == "auto" else ""
    counts = "/".join(f"{len(split.images):,}" for split in (data.train, data.validation, data.test))
    size = sum(p.numel() for p in parts.model.parameters())
    log.info("device    %s (%s), %s", device, where, config.precision)
    log.info("runtime   %s%s", runtime, chosen)
    shape = "×".join(map(str, data.shape))
    entropy = "" if data.entropy is None else f", entropy {data.entropy:.3f} nats"
    log.info("data      %s, %s images of %s%s", config.data.name, counts, shape, entropy)
    log.info(
        "model     %s, %s parameters, likelihood %s",
        config.network.name,
        f"{size:,}",
        config.likelihood.name,
    )
    log.info(
        "code      %s, %d units, estimator %s",
        config.latent.name,
        parts.model.latent.code_size,
        config.estimator.name,
    )
    log.info("folder    %s", folder)
    if step:
        log.info("resumed   at step %d", step)
    for notice in notices.of_likelihood(parts.model, data):
        log.warning(notice)
    if parts.model.prior() is None:
        log.warning(
            f"latent={parts.model.latent.name} has no likelihood: elbo is minus the distortion, no bound, and nll is not given"
        )


def report(summary: dict[str, Any], folder: Path) -> None:
    """Print the table of test metrics at the end of a run."""
    log.info("")
    log.info("test, at the best validation elbo (step %d)", summary["best_step"])
    for line in aligned(_test_rows(summary), "<><"):
        log.info("%s", line)
    for file in ("figures/samples.png", "figures/reconstructions.png", "summary.json"):
        log.info("  %s", folder / file)
    log.info("  curves: tensorboard --logdir %s", folder)
    log.info("  more:   vae-eval run=%s", folder)


def _test_rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value, and unit with a remark."""
    test, data = summary["test"], summary["data"]
    rows = [(name, f"{test[name]:.3f}", "nats") for name in ("elbo", "rate", "distortion")]
    if "nll" in test:
        error = f"nats ± {test['nll_standard_error']:.3f}, {test['nll_samples']} samples"
        rows.append(("nll", f"{test['nll']:.3f}", error))
    if data["entropy"] is not None:
        rows.append(("entropy", f"{data['entropy']:.3f}", "nats: no model can be below"))
    if data["gap"] is not None:
        rows.append(("gap", f"{data['gap']:.3f}", "nats: nll − entropy"))
    rows.append(("active units", str(test["active_units"]), f"of {len(test['rate_per_unit'])}"))
    speed = f"{summary['examples_per_second'] or 0:,.0f}"
    return [*rows, ("training", f"{summary['seconds']:.1f}", f"s, {speed} images/s")]
