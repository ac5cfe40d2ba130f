"""What an evaluation leaves: evaluation/ in the run folder, its TensorBoard, and a table on the console."""

import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image
from tqdm import tqdm

from vae_cli.config.schema.commands import EvalConfig
from vae_cli.evaluation.context import Context
from vae_cli.evaluation.gallery import PICTURES
from vae_cli.evaluation.measurements import Measurements
from vae_cli.evaluation.plan import Plan, make_plan, measure
from vae_cli.evaluation.report import page
from vae_cli.metrics.registry import metric
from vae_cli.reporting.html import number
from vae_cli.reporting.table import aligned
from vae_cli.runs import checkpoint
from vae_cli.version import versions

log = logging.getLogger("vae_cli")

PROJECTED = 2500  # codes in the embedding projector, whose sprites are one picture of 50 × 50 images
PROJECTOR = "00000"  # the folder of step 0, where torch's writer puts it
Summary = dict[str, Any]


def evaluate(settings: EvalConfig, arguments: list[str]) -> Summary:
    """Measure and draw into a folder that becomes RUN_FOLDER/evaluation when it is whole; return summary.json.

    `arguments` are the command's, which the page repeats. Raises UserError before anything was written."""
    started = time.perf_counter()
    plan = make_plan(settings)
    for notice in plan.notices:
        log.warning("%s", notice)
    with tempfile.TemporaryDirectory(prefix=".evaluation-", dir=plan.folder) as name:
        partial, evaluation = Path(name) / "evaluation", plan.folder / "evaluation"
        partial.mkdir()
        measurements, context = measure(plan)
        for picture in tqdm(plan.pictures, desc="pictures", unit="picture", disable=None, leave=False):
            PICTURES[picture].draw(context, partial / f"{picture}.png")
        _samples(plan, partial / "samples.npz")
        summary = _summary(plan, measurements, context) | {"seconds": time.perf_counter() - started}
        checkpoint.write_json(partial / "summary.json", summary)
        pictures = {
            picture: (partial / f"{picture}.png", PICTURES[picture].caption) for picture in plan.pictures
        }
        html = page(summary, plan.trained.config, _overrides(plan.folder), arguments, pictures)
        (partial / "report.html").write_text(html, encoding="utf-8")
        _tensorboard(plan, measurements, context, [file for file, _ in pictures.values()])
        if evaluation.exists():
            evaluation.rename(Path(name) / "earlier")
        partial.rename(evaluation)
    _table(plan, measurements)
    return summary


def _samples(plan: Plan, file: Path) -> None:
    if n := plan.settings.samples:
        codes = plan.trained.prior_codes(n, plan.settings.seed)
        images = torch.cat([plan.trained.decode(part) for part in codes.split(1024)])
        np.savez_compressed(file, images=images.cpu().numpy(), codes=codes.cpu().numpy())


def _summary(plan: Plan, measurements: Measurements, context: Context) -> Summary:
    per_unit = {"rate": context.rates.tolist(), "active": context.active.tolist()}
    if (usage := context.usage) is not None:
        values, association = usage.frequency.T.tolist(), usage.association.tolist()
        if len(usage.frequency) == 2:
            per_unit |= {"on": [on for _, on in values], "correlation": association}
        else:
            per_unit |= {"frequencies": values, "association": association}
    return {
        "run": str(plan.folder),
        "status": plan.status,
        "checkpoint": plan.checkpoint,
        "step": plan.trained.step,
        "notices": plan.notices,
        "settings": plan.settings.plain(),
        "device": str(context.like.device),
        "versions": versions(),
        "data": {"name": plan.trained.config.data.name, "test_images": len(context.data.test.images)},
        "figures": {name: each._asdict() for name, each in measurements.items()},
        "per_unit": per_unit,
    }


def _overrides(folder: Path) -> list[str]:
    file = folder / ".hydra/overrides.yaml"
    return [str(override) for override in OmegaConf.load(file)] if file.exists() else []


def _tensorboard(plan: Plan, measurements: Measurements, context: Context, files: list[Path]) -> None:
    """Measurements, pictures and the embedding projector, in an event file that the next evaluation replaces."""
    from torch.utils.tensorboard import SummaryWriter

    for earlier in plan.folder.glob("events.out.*.evaluation"):
        earlier.unlink()
    shutil.rmtree(plan.folder / PROJECTOR, ignore_errors=True)
    step = plan.trained.step
    with SummaryWriter(str(plan.folder), filename_suffix=".evaluation") as writer:
        for name, measurement in measurements.items():
            writer.add_scalar(f"evaluation/{name}", measurement.value, step)
        for file in files:
            with Image.open(file) as image:
                writer.add_image(
                    f"evaluation/{file.stem}", np.asarray(image.convert("RGB")), step, dataformats="HWC"
                )
        if context.vae.latent.decoder_inputs > 2:  # the projector needs three; codes of two have the scatter
            n = min(PROJECTED, len(context.data.test.images))
            sprites = context.images(torch.arange(n)).clamp(0, 1).unflatten(-1, context.data.shape)
            colours = sprites[:, :3] if sprites.shape[1] >= 3 else sprites[:, :1].expand(-1, 3, -1, -1)
            labels = None if context.labels is None else context.labels[:n].tolist()
            writer.add_embedding(context.q.mean[:n], labels, colours, tag="codes")


def _table(plan: Plan, measurements: Measurements) -> None:
    images = f"{len(plan.subject.data.test.images):,} test images"
    log.info("")
    log.info("%s, checkpoint %s (step %d), %s", plan.folder, plan.checkpoint, plan.trained.step, images)
    rows = [
        (
            metric(name).label,
            number(measurement.value),
            "" if measurement.standard_error is None else f"± {number(measurement.standard_error)}",
            metric(name).unit,
            measurement.meaning,
        )
        for name, measurement in measurements.items()
    ]
    for line in aligned(rows, "<><<<"):
        log.info("%s", line)
    log.info("  %s", plan.folder / "evaluation/report.html")
