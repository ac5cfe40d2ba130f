"""The TensorBoard output of an evaluation: metrics, pictures and the embedding projector, in the run's folder."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from vae_cli.evaluation.context import Context
from vae_cli.evaluation.measurements import Measurements

SUFFIX = ".evaluation"  # of the event file
PROJECTED = 2500  # codes in the embedding projector, whose sprites are one picture of 50 × 50 images
PROJECTOR = "00000"  # torch's writer puts the codes of step 0 into this folder


def write_tensorboard(
    folder: Path, step: int, metrics: Measurements, context: Context, pictures: Iterable[Path]
) -> None:
    """Replace the event file of an earlier evaluation."""
    from torch.utils.tensorboard import SummaryWriter

    for earlier in folder.glob(f"events.out.*{SUFFIX}"):
        earlier.unlink()
    shutil.rmtree(folder / PROJECTOR, ignore_errors=True)
    with SummaryWriter(str(folder), filename_suffix=SUFFIX) as writer:
        for name, measured in metrics.items():
            writer.add_scalar(f"evaluation/{name}", measured.value, step)
        for file in pictures:
            with Image.open(file) as image:
                pixels = np.asarray(image.convert("RGB"))
            writer.add_image(f"evaluation/{file.stem}", pixels, step, dataformats="HWC")
        if context.q.mean.shape[-1] > 2:  # the projector shows three dimensions; two are in scatter.png
            _add_codes(writer, context)


def _add_codes(writer: Any, context: Context) -> None:
    """The posterior means of the first test images with their labels and pixels."""
    n = min(PROJECTED, len(context.data.test.images))
    sprites = context.images(torch.arange(n)).clamp(0, 1).unflatten(-1, context.data.shape)
    colours = sprites[:, :3] if sprites.shape[1] >= 3 else sprites[:, :1].expand(-1, 3, -1, -1)
    labels = None if context.labels is None else context.labels[:n].tolist()
    writer.add_embedding(context.q.mean[:n], labels, colours, tag="codes")
