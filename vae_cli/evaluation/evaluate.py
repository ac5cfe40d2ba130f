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
from vae_cli.evaluation.context import Context
from vae_cli.evaluation.gallery import PICTURES
from vae_cli.evaluation.measurements import Measurement, Measurements
from vae_cli.evaluation.plan import Plan, make_plan, measure
from vae_cli.evaluation.report import page
from vae_cli.evaluation.tensorboard import write_tensorboard
from vae_cli.metrics.registry import metric
from vae_cli.reporting.html import number
from vae_cli.reporting.table import aligned
from vae_cli.runs.documents import write_json
from vae_cli.runs.folder import EvaluationFolder
from vae_cli.version import versions

log = logging.getLogger("vae_cli")

Summary = dict[str, Any]


def evaluate(settings: EvalConfig, arguments: list[str]) -> Summary:
    """Write into a temporary folder that replaces RUN_FOLDER/evaluation once it is complete; return the content of its
    summary.json. The page repeats the command's `arguments`.

    Raises UserError before anything is written."""
    started = time.perf_counter()
    plan = make_plan(settings)
    for notice in plan.notices:
        log.warning("%s", notice)
    with tempfile.TemporaryDirectory(prefix=".evaluation-", dir=plan.folder.path) as name:
        partial, evaluation = Path(name) / "evaluation", plan.folder.evaluation.path
        partial.mkdir()
        metrics, context = measure(plan)
        for picture in tqdm(plan.pictures, desc="pictures", unit="picture", disable=None, leave=False):
            PICTURES[picture].draw(context, partial / f"{picture}.png")
        _save_samples(plan, partial / "samples.npz")
        summary = _summary(plan, metrics, context) | {"seconds": time.perf_counter() - started}
        write_json(EvaluationFolder(partial).summary_file, summary)
        pictures = {
            picture: (partial / f"{picture}.png", PICTURES[picture].caption) for picture in plan.pictures
        }
        html = page(summary, plan.trained, plan.folder.overrides(), arguments, pictures)
        EvaluationFolder(partial).report.write_text(html, encoding="utf-8")
        files = [file for file, _ in pictures.values()]
        write_tensorboard(plan.folder.path, plan.trained.step, metrics, context, files)
        if evaluation.exists():
            evaluation.rename(Path(name) / "earlier")
        partial.rename(evaluation)
    _print(plan, metrics)
    return summary


def _save_samples(plan: Plan, file: Path) -> None:
    if n := plan.settings.samples:
        codes = plan.trained.prior_codes(n, plan.settings.seed)
        images = torch.cat([plan.trained.decode(part) for part in codes.split(1024)])
        np.savez_compressed(file, images=images.cpu().numpy(), codes=codes.cpu().numpy())


def _summary(plan: Plan, metrics: Measurements, context: Context) -> Summary:
    per_unit = {"rate": context.rates.tolist(), "active": context.active.tolist()}
    if (usage := context.usage) is not None:
        values, association = usage.frequency.T.tolist(), usage.association.tolist()
        if usage.is_of_bits:
            per_unit |= {"on": [on for _, on in values], "correlation": association}
        else:
            per_unit |= {"frequencies": values, "association": association}
    return {
        "run": str(plan.folder),
        "status": plan.status,
        "checkpoint": plan.checkpoint,
        "step": plan.trained.step,
        "files": plan.files,
        "notices": plan.notices,
        "settings": plan.settings.plain(),
        "device": str(context.like.device),
        "versions": versions(),
        "data": {"name": plan.trained.config.data.name, "test_images": len(context.data.test.images)},
        "figures": {
            name: {"value": m.value, "unit": metric(name).unit, **m._asdict()} for name, m in metrics.items()
        },
        "per_unit": per_unit,
    }


def _print(plan: Plan, metrics: Measurements) -> None:
    images = f"{len(plan.subject.data.test.images):,} test images"
    log.info("")
    log.info("%s, checkpoint %s (step %d), %s", plan.folder, plan.checkpoint, plan.trained.step, images)
    rows = [
        (metric(name).label, number(m.value), _error(m), metric(name).unit, m.meaning)
        for name, m in metrics.items()
    ]
    for line in aligned(rows, "<><<<"):
        log.info("%s", line)
    log.info("  %s", plan.folder.evaluation.report)


def _error(measured: Measurement) -> str:
    return "" if measured.standard_error is None else f"± {number(measured.standard_error)}"
