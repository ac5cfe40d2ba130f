"""vae-eval: measure a trained run, write evaluation/ into its folder, print a table."""

import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from vae_cli.config.schema.commands import EvalConfig
from vae_cli.evaluation.context import View
from vae_cli.evaluation.gallery import PICTURES
from vae_cli.evaluation.measurements import Measurement, Measurements
from vae_cli.evaluation.plan import Study, measured, study
from vae_cli.evaluation.report import page
from vae_cli.evaluation.tensorboard import write_tensorboard
from vae_cli.metrics.registry import metric
from vae_cli.reporting.html import number
from vae_cli.reporting.table import aligned
from vae_cli.runs.files import write_json
from vae_cli.runs.folder import EvaluationFolder
from vae_cli.version import versions

log = logging.getLogger("vae_cli")

Summary = dict[str, Any]


def evaluate(settings: EvalConfig, arguments: list[str]) -> Summary:
    """Write into a temporary folder that replaces RUN_FOLDER/evaluation once it is complete; return the content of its
    summary.json. The page repeats the command's `arguments`.

    Raises UserError before anything is written."""
    started = time.perf_counter()
    of = study(settings)
    for notice in of.notices:
        log.warning("%s", notice)
    with tempfile.TemporaryDirectory(prefix=".evaluation-", dir=of.folder.path) as name:
        partial, evaluation = Path(name) / "evaluation", of.folder.evaluation.path
        partial.mkdir()
        metrics, view = measured(of)
        for picture in tqdm(of.pictures, desc="pictures", unit="picture", disable=None, leave=False):
            PICTURES[picture].draw(view, partial / f"{picture}.png")
        _save_samples(of, partial / "samples.npz")
        summary = _summary(of, metrics, view) | {"seconds": time.perf_counter() - started}
        write_json(EvaluationFolder(partial).summary_file, summary)
        pictures = {
            picture: (partial / f"{picture}.png", PICTURES[picture].caption) for picture in of.pictures
        }
        html = page(summary, of.trained.config, of.folder.overrides(), arguments, pictures)
        EvaluationFolder(partial).report.write_text(html, encoding="utf-8")
        files = [file for file, _ in pictures.values()]
        write_tensorboard(of.folder.path, of.trained.step, metrics, view, files)
        if evaluation.exists():
            evaluation.rename(Path(name) / "earlier")
        partial.rename(evaluation)
    _print(of, metrics)
    return summary


def _save_samples(of: Study, file: Path) -> None:
    if n := of.settings.samples:
        codes = of.trained.prior_codes(n, of.settings.seed)
        images = torch.cat([of.trained.decode(part) for part in codes.split(1024)])
        np.savez_compressed(file, images=images.cpu().numpy(), codes=codes.cpu().numpy())


def _summary(of: Study, metrics: Measurements, view: View) -> Summary:
    per_unit = {"rate": view.rates.tolist(), "active": view.active.tolist()}
    if view.bits is not None:
        per_unit |= {"on": view.bits.on.tolist(), "correlation": view.bits.correlation.tolist()}
    return {
        "run": str(of.folder),
        "status": of.status,
        "checkpoint": of.checkpoint,
        "step": of.trained.step,
        "notices": of.notices,
        "settings": of.settings.plain(),
        "device": str(view.like.device),
        "versions": versions(),
        "data": {"name": of.trained.config.data.name, "test_images": len(view.data.test.images)},
        "figures": {
            name: {"value": m.value, "unit": metric(name).unit, **m._asdict()} for name, m in metrics.items()
        },
        "per_unit": per_unit,
    }


def _print(of: Study, metrics: Measurements) -> None:
    images = f"{len(of.subject.data.test.images):,} test images"
    log.info("")
    log.info("%s, checkpoint %s (step %d), %s", of.folder, of.checkpoint, of.trained.step, images)
    rows = [
        (metric(name).label, number(m.value), _error(m), metric(name).unit, m.meaning)
        for name, m in metrics.items()
    ]
    for line in aligned(rows, "<><<<"):
        log.info("%s", line)
    log.info("  %s", of.folder.evaluation.report)


def _error(measured: Measurement) -> str:
    return "" if measured.standard_error is None else f"± {number(measured.standard_error)}"
