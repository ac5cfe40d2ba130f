"""The TensorBoard output of an evaluation: metrics, pictures and the embedding projector, in the run's folder."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from vae_cli.errors import UserError
from vae_cli.evaluation.context import Context
from vae_cli.evaluation.measurements import Measurements
from vae_cli.models.vae import VAE
from vae_cli.runs.events import Events
from vae_cli.runs.files import sync_all

SUFFIX = ".evaluation"  # of the event file
EVENTS = f"events.out.tfevents.*{SUFFIX}"
PROJECTED = 2500  # codes in the embedding projector, whose sprites are one picture of 50 × 50 images
CODES = "00000/codes"  # torch's writer puts the embedding `codes` of step 0 into this folder
# The first one names the tensors of all embeddings: it says whether the others are ours, so it comes first and goes last.
PROJECTOR_FILES = (
    "projector_config.pbtxt",
    *(f"{CODES}/{name}" for name in ("tensors.tsv", "metadata.tsv", "sprite.png")),
)


def refuse(folder: Path, vae: VAE) -> None:
    """Raise UserError where the place of the projector's files is a link, or taken by files of somebody else."""
    folders = [folder / "00000", folder / CODES]
    files = [folder / name for name in PROJECTOR_FILES]
    for path in (*folders, *files):
        if path.is_symlink():
            raise UserError(f"{path} is a link, which is not followed: move it away")
    others = [path for path in folders if path.exists() and not path.is_dir()]
    are_ours = _has_our_codes(folder)
    others += [path for path in files if path.exists() and not (are_ours and path.is_file())]
    if others and _is_projected(vae):
        names = ", ".join(str(path.relative_to(folder)) for path in others)
        raise UserError(f"{folder} has files in the way that vae-eval did not write: {names}; move them away")


def write(folder: Path, step: int, metrics: Measurements, context: Context, pictures: Iterable[Path]) -> None:
    """Write into a new folder, for `replace`."""
    with Events(folder, suffix=SUFFIX) as writer:
        for name, measured in metrics.items():
            writer.add_scalar(f"evaluation/{name}", measured.value, step)
        for file in pictures:
            with Image.open(file) as image:
                pixels = np.asarray(image.convert("RGB"))
            writer.add_image(f"evaluation/{file.stem}", pixels, step, dataformats="HWC")
        if _is_projected(context.vae):
            _add_codes(writer, context)


def replace(folder: Path, new: Path) -> None:
    """Move what `write` has written to `folder`, in the place of what an earlier evaluation wrote there."""
    sync_all(new)
    events = [file.rename(folder / file.name) for file in new.glob(EVENTS)]
    for file in folder.glob(EVENTS):
        if file not in events and not file.is_dir():
            file.unlink()
    if (new / PROJECTOR_FILES[0]).exists():
        (folder / CODES).mkdir(parents=True, exist_ok=True)
        for name in PROJECTOR_FILES:
            if (new / name).exists():
                (new / name).rename(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    elif _has_our_codes(folder):
        for name in reversed(PROJECTOR_FILES):
            (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # other files may be there
            (folder / CODES).rmdir()
            (folder / CODES).parent.rmdir()


def _is_projected(vae: VAE) -> bool:
    """The projector shows three dimensions; two are in scatter.png."""
    return vae.latent.decoder_inputs > 2


def _has_our_codes(folder: Path) -> bool:
    """Whether the projector shows the codes of an earlier evaluation and nothing else."""
    config, tensors, *_ = (folder / name for name in PROJECTOR_FILES)
    if not config.is_file():
        return False
    lines = config.read_text(errors="replace").splitlines()
    places = [line.split()[-1] for line in lines if line.lstrip().startswith("tensor_path:")]
    return places == [f'"{tensors.relative_to(folder)}"']


def _add_codes(writer: Any, context: Context) -> None:
    """The posterior means of the first test images with their labels and pixels."""
    n = min(PROJECTED, len(context.data.test.images))
    sprites = context.images(torch.arange(n)).clamp(0, 1).unflatten(-1, context.data.shape)
    colours = sprites[:, :3] if sprites.shape[1] >= 3 else sprites[:, :1].expand(-1, 3, -1, -1)
    labels = None if context.labels is None else context.labels[:n].tolist()
    writer.add_embedding(context.q.mean[:n], labels, colours, tag="codes")
