"""The first and the last lines of a run, on the console and in train.log."""

import logging
import shlex
from typing import Any

import torch

from vae_cli.engine.experiment import Experiment
from vae_cli.reporting import notices
from vae_cli.reporting.table import aligned
from vae_cli.runs.folder import RunFolder


def announce(log: logging.Logger, experiment: Experiment, runtime: str, folder: RunFolder, step: int) -> None:
    """Logs the first lines: what is trained, where and how."""
    data, config, device = experiment.data, experiment.config, experiment.device
    where = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    )
    chosen = " (auto)" if config.runtime.name == "auto" else ""
    counts = "/".join(f"{len(split.images):,}" for split in (data.train, data.validation, data.test))
    size = sum(p.numel() for p in experiment.model.parameters())
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
        experiment.model.latent.code_size,
        config.estimator.name,
    )
    log.info("folder    %s", folder)
    if step:
        log.info("resumed   at step %d", step)
    for notice in notices.of_likelihood(experiment.model, data):
        log.warning(notice)
    if experiment.model.prior() is None:
        log.warning(
            "latent=%s has no likelihood: elbo is minus the distortion, no bound, and nll is not given",
            experiment.model.latent.name,
        )


def report(log: logging.Logger, summary: dict[str, Any], folder: RunFolder) -> None:
    """Logs the table of test metrics, the files, and the commands to continue with."""
    log.info("")
    log.info("test, at the best validation elbo (step %d)", summary["best_step"])
    for line in aligned(_test_rows(summary), "<><"):
        log.info("%s", line)

    for file in (folder.figure("samples"), folder.figure("reconstructions"), folder.summary_file):
        log.info("  %s", file)
    log.info("  curves: tensorboard --logdir %s", shlex.quote(str(folder)))
    log.info("  more:   vae-eval %s", shlex.quote(f"run={folder}"))


def _test_rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows of a name, a value, and its unit with a remark."""
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
