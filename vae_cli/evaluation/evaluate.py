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
from vae_cli.evaluation.context import View
from vae_cli.evaluation.gallery import PICTURES
from vae_cli.evaluation.measurements import Figures
from vae_cli.evaluation.plan import Study, measured, study
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
    of = study(settings)
    for notice in of.notices:
        log.warning("%s", notice)
    with tempfile.TemporaryDirectory(prefix=".evaluation-", dir=of.folder) as name:
        partial, evaluation = Path(name) / "evaluation", of.folder / "evaluation"
        partial.mkdir()
        figures, view = measured(of)
        for picture in tqdm(of.pictures, desc="pictures", unit="picture", disable=None, leave=False):
            PICTURES[picture].draw(view, partial / f"{picture}.png")
        _samples(of, partial / "samples.npz")
        summary = _summary(of, figures, view) | {"seconds": time.perf_counter() - started}
        checkpoint.write_json(partial / "summary.json", summary)
        pictures = {
            picture: (partial / f"{picture}.png", PICTURES[picture].caption) for picture in of.pictures
        }
        html = page(summary, of.trained.config, _overrides(of.folder), arguments, pictures)
        (partial / "report.html").write_text(html, encoding="utf-8")
        _tensorboard(of, figures, view, [file for file, _ in pictures.values()])
        if evaluation.exists():
            evaluation.rename(Path(name) / "earlier")
        partial.rename(evaluation)
    _table(of, figures)
    return summary


def _samples(of: Study, file: Path) -> None:
    if n := of.settings.samples:
        codes = of.trained.prior_codes(n, of.settings.seed)
        images = torch.cat([of.trained.decode(part) for part in codes.split(1024)])
        np.savez_compressed(file, images=images.cpu().numpy(), codes=codes.cpu().numpy())


def _summary(of: Study, figures: Figures, view: View) -> Summary:
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
        "figures": {name: figure._asdict() for name, figure in figures.items()},
        "per_unit": per_unit,
    }


def _overrides(folder: Path) -> list[str]:
    file = folder / ".hydra/overrides.yaml"
    return [str(override) for override in OmegaConf.load(file)] if file.exists() else []


def _tensorboard(of: Study, figures: Figures, view: View, files: list[Path]) -> None:
    """Figures, pictures and the embedding projector, in an event file that the next evaluation replaces."""
    from torch.utils.tensorboard import SummaryWriter

    for earlier in of.folder.glob("events.out.*.evaluation"):
        earlier.unlink()
    shutil.rmtree(of.folder / PROJECTOR, ignore_errors=True)
    step = of.trained.step
    with SummaryWriter(str(of.folder), filename_suffix=".evaluation") as writer:
        for name, figure in figures.items():
            writer.add_scalar(f"evaluation/{name}", figure.value, step)
        for file in files:
            with Image.open(file) as image:
                writer.add_image(
                    f"evaluation/{file.stem}", np.asarray(image.convert("RGB")), step, dataformats="HWC"
                )
        if view.vae.latent.code_size > 2:  # the projector needs three; a plane has its scatter
            n = min(PROJECTED, len(view.data.test.images))
            sprites = view.images(torch.arange(n)).clamp(0, 1).unflatten(-1, view.data.shape)
            colours = sprites[:, :3] if sprites.shape[1] >= 3 else sprites[:, :1].expand(-1, 3, -1, -1)
            labels = None if view.labels is None else view.labels[:n].tolist()
            writer.add_embedding(view.q.mean[:n], labels, colours, tag="codes")


def _table(of: Study, figures: Figures) -> None:
    images = f"{len(of.subject.data.test.images):,} test images"
    log.info("")
    log.info("%s, checkpoint %s (step %d), %s", of.folder, of.checkpoint, of.trained.step, images)
    rows = [
        (
            metric(name).label,
            number(figure.value),
            "" if figure.standard_error is None else f"± {number(figure.standard_error)}",
            metric(name).unit,
            figure.meaning,
        )
        for name, figure in figures.items()
    ]
    for line in aligned(rows, "<><<<"):
        log.info("%s", line)
    log.info("  %s", of.folder / "evaluation/report.html")
