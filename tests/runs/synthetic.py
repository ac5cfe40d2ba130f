"""Run folders written without training, with the files that vae-compare reads."""

import json
from pathlib import Path

import numpy as np
import yaml

from vae_cli.reporting import plots
from vae_cli.runs.discovery import relative_names, run_folders
from vae_cli.runs.record import RunRecord, read

ENTROPY = 5.0


def write_run(
    folder: Path, nll: float | None = 10.0, status: str | None = "finished", pictures: bool = False, **changes: object
) -> Path:  # fmt: skip
    """Write one run folder. `changes` name keys of its configuration, with __ for a dot; None removes a key of a
    group."""
    config: dict = {
        "name": "synthetic",
        "seed": 0,
        "batch_size": 128,
        "data": {"name": "rectangles", "root": '${oc.env:VAE_CLI_DATA,"~/.cache/vae-cli"}'},
        "latent": {"name": "bernoulli", "_target_": "vae_cli.models.latents.BernoulliLatent", "code_size": 10, "temperature": 1.0},
        "estimator": {"name": "concrete", "temperature": "${latent.temperature}"},
        "likelihood": {"name": "bernoulli"},
        "optimizer": {"name": "adam", "lr": 0.001, "betas": [0.9, 0.999]},
    }  # fmt: skip
    for key, value in changes.items():
        group, _, rest = key.partition("__")
        if rest and value is None:
            config[group].pop(rest, None)
        elif rest:
            config[group][rest] = value
        else:
            config[key] = value
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    if status is not None:
        _write_summary(folder, nll, status)
    if pictures:
        write_metrics(folder, [{"step": i, "epoch": i / 10, "split": "validation", "elbo": -20 + i / 10} for i in range(30)])  # fmt: skip
        with (folder / "metrics.jsonl").open("a") as file:
            file.write('{"split": "validation", "el')
        (folder / "figures").mkdir()
        plots.save(folder / "figures/samples.png", np.full((40, 40, 3), 191, np.uint8), "samples")
    return folder


def _write_summary(folder: Path, nll: float | None, status: str) -> None:
    test = None if nll is None else {"nll": nll, "nll_standard_error": 0.1, "nll_samples": 100, "elbo": -nll - 1,
                                     "rate": 4.0, "distortion": nll - 3, "rate_per_unit": [0.4] * 10}  # fmt: skip
    data = {"name": "rectangles", "entropy": ENTROPY, "gap": None if nll is None else nll - ENTROPY}
    summary = {"status": status, "steps": 100, "seconds": 2.5, "validation": None, "test": test, "data": data}
    (folder / "summary.json").write_text(json.dumps(summary))


def write_metrics(folder: Path, lines: list[dict]) -> Path:
    file = folder / "metrics.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def write_evaluation(run: Path, **values: float | None) -> None:
    """Write the summary that vae-eval leaves, with these metrics."""
    (run / "evaluation").mkdir()
    metrics = {name: {"value": value} for name, value in values.items()}
    (run / "evaluation/summary.json").write_text(json.dumps({"figures": metrics}))


def read_all(folder: Path) -> list[RunRecord]:
    runs = run_folders([str(folder)])
    return [read(run, name) for run, name in zip(runs, relative_names(runs), strict=True)]
