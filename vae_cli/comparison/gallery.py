"""Members overlaid and side by side, and all pictures of a comparison."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vae_cli.comparison import charts
from vae_cli.comparison.table import Row, Table, show_settings
from vae_cli.reporting import plots
from vae_cli.runs.differing import show
from vae_cli.runs.record import RunRecord, curve

if TYPE_CHECKING:
    from PIL import Image

MOST = 24  # members overlaid and side by side
TOLD = 3  # settings beside a name
TILE, MARGIN, TITLE = 300, 16, 46  # pixels of a member's samples, beside and above them
TILES = 10  # of each grid's rows and columns: more would be too small to see


def curves(table: Table, path: Path) -> str | None:
    found = [(row, member, *curve(member.folder)) for row, member in table.ranked[:MOST]]
    found = [each for each in found if each[3]]
    if not found:
        return None
    from matplotlib import colormaps

    with plots.chart(path, "Learning curves", (9.6, 2.6 + 0.14 * len(found))) as axes:
        for i, (row, member, split, points) in enumerate(found):
            colour = (
                plots.PALETTE[i] if len(found) <= charts.MOST_SERIES else colormaps["viridis"](i / len(found))
            )
            style = "-" if split == "validation" else ":"
            axes.plot(*zip(*points, strict=True), style, color=colour, label=charts.label(title_of(table, row, member)), linewidth=1.2)  # fmt: skip
        elbos = [[elbo for _, elbo in points] for *_, points in found]
        low, high = min(float(np.median(each)) for each in elbos), max(map(max, elbos))
        if (entropy := charts.common_entropy(table)) is not None:
            plots.floor(axes, -entropy, f"−entropy {-entropy:.3f}")
            high = max(high, -entropy)
        margin = 0.05 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
        axes.set(xlabel="epoch", ylabel="elbo / nats per image")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)
    return f"The elbo while training{_most(table)}: of validation, dotted of training where there is no validation. The better half of each curve's points is in the picture; below it lie first steps and spikes."


def samples(table: Table, path: Path) -> str | None:
    """Each member's figures/samples.png without its title and margins, side by side. By pillow, for matplotlib
    takes five seconds and 100 MB for so many pixels."""
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    found = [
        (row, member, _tile(member.folder / "figures/samples.png")) for row, member in table.ranked[:MOST]
    ]
    tiles = [(row, member, tile) for row, member, tile in found if tile is not None]
    if not tiles:
        return None
    columns = min(4, len(tiles))
    side, high = TILE + MARGIN, TILE + TITLE
    canvas = Image.new("RGB", (columns * side + MARGIN, -(-len(tiles) // columns) * high + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.truetype(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 12)
    for i, (row, member, tile) in enumerate(tiles):
        top, left = (i // columns) * high, (i % columns) * side + MARGIN
        value = f"\n{table.value} {member.figures[table.value]:.3f}" if table.value in member.figures else ""
        draw.text((left, top + 8), charts.shortened(title_of(table, row, member), 42) + value, "black", font)
        canvas.paste(tile, (left, top + TITLE))
    canvas.save(path)
    return f"Samples of each member{_most(table)}, best first, with its name and its {table.value}."


def _tile(file: Path) -> "Image.Image | None":
    """At most TILE pixels a side; None for a file that is missing or half-written."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            image = Image.fromarray(trimmed(np.asarray(picture.convert("RGB"))))
    except (OSError, ValueError, SyntaxError):  # pillow raises each of these
        return None
    image.thumbnail((TILE, TILE))
    return image


def trimmed(image: np.ndarray) -> np.ndarray:
    """The first rows and columns within the grey lines that `plots.grid` draws; all of an image without them.
    image [height, width, 3] uint8."""
    low, high = round(255 * plots.GAP) - 2, round(255 * plots.GAP) + 2
    grey = ((image >= low) & (image <= high)).all(-1)
    lines = [np.flatnonzero(grey.mean(axis) > 0.5) for axis in (1, 0)]
    if min(map(len, lines)) < 2:
        return image
    top, left = (
        slice(line[0], line[np.flatnonzero(np.diff(line, prepend=-2) > 1)][: TILES + 1][-1] + 1)
        for line in lines
    )
    return image[top, left]


def _most(table: Table) -> str:
    n = len(table.ranked)
    return f" of the best {MOST} of {n:,} members" if n > MOST else ""


def title_of(table: Table, row: Row, member: RunRecord) -> str:
    """A member's name, and its settings where they are few and the name does not tell them."""
    told = len(table.columns) > TOLD or all(
        f"{c}={show(v)}" in member.name for c, v in row.settings.items() if v is not None
    )
    return member.name if told else f"{member.name} ({show_settings(row, table.columns)})"


PICTURES: dict[str, Callable[[Table, Path], str | None]] = {
    "heat_map": charts.heat_map,
    "lines": charts.lines,
    "rate_distortion": charts.rate_distortion,
    "curves": curves,
    "samples": samples,
}


def draw_all(table: Table, folder: Path) -> dict[str, str]:
    """Name → caption of the pictures that were written, as NAME.png."""
    captions = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a folder's name in any script
        for name, draw in PICTURES.items():
            if caption := draw(table, folder / f"{name}.png"):
                captions[name] = caption
    return captions
