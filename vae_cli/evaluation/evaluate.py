"""vae-eval: measure a trained run, write evaluation/ into its folder, print a table."""

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from vae_cli.config.schema.commands import EvalConfig
from vae_cli.engine.out_of_memory import out_of_memory_in_words
from vae_cli.errors import printable
from vae_cli.evaluation import tensorboard
from vae_cli.evaluation.context import Context
from vae_cli.evaluation.gallery import PICTURES
from vae_cli.evaluation.measurements import Measurement, Measurements
from vae_cli.evaluation.plan import Plan, make_plan, measure
from vae_cli.evaluation.report import page
from vae_cli.metrics.registry import metric
from vae_cli.reporting.html import number
from vae_cli.reporting.table import aligned
from vae_cli.runs.evaluation_folder import EvaluationFolder
from vae_cli.runs.interrupts import signals_raise
from vae_cli.runs.output import OutputFolder
from vae_cli.version import versions

log = logging.getLogger("vae_cli")

SAMPLES = "samples.npz"
SIZES = ("test_images", "nll_samples", "probe_images", "samples")  # the keys that memory grows with

Summary = dict[str, Any]


def evaluate(settings: EvalConfig, arguments: list[str]) -> Summary:
    """Write into a new folder that replaces RUN_FOLDER/evaluation once it is complete; return the content of its
    summary.json. The page repeats the command's `arguments`.

    Raises UserError before anything is written, OutOfMemory where an allocation fails."""
    started = time.perf_counter()
    with signals_raise(), out_of_memory_in_words({key: getattr(settings, key) or 0 for key in SIZES}):
        plan = make_plan(settings)
        output = _output(plan.folder.evaluation)
        output.refuse()
        tensorboard.refuse(plan.folder.path, plan.trained.vae)
        for notice in plan.notices:
            log.warning("%s", printable(notice))
        with output.replaced() as new:
            metrics, context = measure(plan)
            pictures = _draw(plan, context, new)
            _save_samples(plan, new / SAMPLES)
            summary = _summary(plan, metrics, context) | {"seconds": time.perf_counter() - started}
            html = page(summary, plan.trained, plan.folder.overrides(), arguments, pictures)
            EvaluationFolder(new).report.write_text(html, encoding="utf-8")
            board, files = new.with_name("tensorboard"), [file for file, _ in pictures.values()]
            tensorboard.write(board, plan.trained.step, metrics, context, files)
            output.write_manifest(new, summary)
            tensorboard.replace(plan.folder.path, board)
    _print(plan, metrics)
    return summary


def _output(folder: EvaluationFolder) -> OutputFolder:
    names = {folder.report.name, folder.summary_file.name, SAMPLES, *(f"{name}.png" for name in PICTURES)}
    return OutputFolder(folder.path, folder.summary_file.name, "figures", frozenset(names))


def _draw(plan: Plan, context: Context, folder: Path) -> dict[str, tuple[Path, str]]:
    """Name → (PNG file, caption) of the plan's pictures."""
    pictures = {}
    for name in tqdm(plan.pictures, desc="pictures", unit="picture", disable=None, leave=False):
        PICTURES[name].draw(context, file := folder / f"{name}.png")
        pictures[name] = file, PICTURES[name].caption
    return pictures


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
    folder = printable(str(plan.folder))
    log.info("%s, checkpoint %s (step %d), %s", folder, plan.checkpoint, plan.trained.step, images)
    rows = [
        (metric(name).label, number(m.value), _error(m), metric(name).unit, m.meaning)
        for name, m in metrics.items()
    ]
    for line in aligned(rows, "<><<<"):
        log.info("%s", line)
    log.info("  %s", printable(str(plan.folder.evaluation.report)))


def _error(measured: Measurement) -> str:
    return "" if measured.standard_error is None else f"± {number(measured.standard_error)}"
