"""The samples of the best members side by side, cut from figures/samples.png of each run folder.

Drawn with pillow: matplotlib takes five seconds and 100 MB for so many pixels.
"""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vae_cli.comparison.labels import MOST_MEMBERS, left_out, member_title, of_the_best
from vae_cli.comparison.members import reason
from vae_cli.comparison.table import Row, Table
from vae_cli.errors import printable
from vae_cli.reporting import plots
from vae_cli.runs.record import RunRecord

if TYPE_CHECKING:
    from PIL import Image

TILE, MARGIN, TITLE = 300, 16, 46  # pixels of a member's samples, beside and above them
SHOWN_IMAGES = 10  # rows and columns of each grid of samples: more would be too small to see
COLUMNS = 4
TITLE_LETTERS = 42
FONT = "fonts/ttf/DejaVuSans.ttf"  # among matplotlib's files


def samples(table: Table, path: Path) -> str | None:
    """Write the picture and return its caption; None where no member has samples."""
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    found, damaged = _tiles(table)
    if not found:
        return None
    columns = min(COLUMNS, len(found))
    width, height = TILE + MARGIN, TILE + TITLE
    size = columns * width + MARGIN, -(-len(found) // columns) * height + MARGIN
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.truetype(Path(get_data_path()) / FONT, 12)
    for i, (row, member, tile) in enumerate(found):
        top, left = (i // columns) * height, (i % columns) * width + MARGIN
        draw.text((left, top + 8), _title(table, row, member), "black", font)
        canvas.paste(tile, (left, top + TITLE))
    canvas.save(path)
    caption = f"Samples of each member{of_the_best(table)}, best first, with its name and its {table.value}."
    return caption + left_out(damaged)


def _tiles(table: Table) -> "tuple[list[tuple[Row, RunRecord, Image.Image]], dict[str, str]]":
    """Of the best members that have samples, and why other members' samples cannot be read, by name."""
    found, damaged = [], {}
    for row, member in table.pairs[:MOST_MEMBERS]:
        file = member.folder.figure("samples")
        try:
            if os.path.lexists(file):
                found.append((row, member, _tile(file)))
        except Exception as error:  # pillow raises errors of many types
            damaged[member.name] = reason(error)
    return found, damaged


def _title(table: Table, row: Row, member: RunRecord) -> str:
    value = f"\n{table.value} {member.metrics[table.value]:.3f}" if table.value in member.metrics else ""
    return printable(member_title(table, row, member), TITLE_LETTERS) + value


def _tile(file: Path) -> "Image.Image":
    """At most TILE pixels wide and high. Raises an error for what is no picture, or one of too many pixels."""
    from PIL import Image

    if file.is_symlink() or not file.is_file():  # a FIFO would block
        raise ValueError(f"{file.name} is no file")
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=["PNG"]) as picture:
            image = Image.fromarray(trimmed(np.asarray(picture.convert("RGB"))))
    image.thumbnail((TILE, TILE))
    return image


def trimmed(image: np.ndarray) -> np.ndarray:
    """The first images of a grid, without title and margins, found by the grey lines that `plots.grid` draws between
    images; the whole picture where there are no such lines. image [height, width, 3] uint8."""
    low, high = round(255 * plots.GAP) - 2, round(255 * plots.GAP) + 2
    grey = ((image >= low) & (image <= high)).all(-1)
    lines = [np.flatnonzero(grey.mean(axis) > 0.5) for axis in (1, 0)]
    if min(map(len, lines)) < 2:
        return image
    top, left = map(_first_images, lines)
    return image[top, left]


def _first_images(grey: np.ndarray) -> slice:
    """From the first grey line to the one after SHOWN_IMAGES images. `grey` [n]: pixels that are in such lines."""
    starts = np.flatnonzero(np.diff(grey, prepend=-2) > 1)  # a line may be several pixels thick
    return slice(grey[0], grey[starts[: SHOWN_IMAGES + 1][-1]] + 1)
