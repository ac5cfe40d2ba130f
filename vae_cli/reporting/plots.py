"""PNG files in one style: grids of images, and charts.

Every text in a picture is plain: `$` is a dollar, and a letter without a glyph is an empty box without a warning.

Readers with any colour vision can tell the ten colours apart: "Accessible Color Sequences for Data Visualization"
(Petroff, 2021), arXiv:2107.02270.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vae_cli.reporting.text import label, plain

if TYPE_CHECKING:  # vae-compare draws without torch, whose import takes seconds
    from torch import Tensor

PALETTE = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")  # fmt: skip
STYLE: dict[Any, Any] = {
    "axes.prop_cycle": f"cycler(color={list(PALETTE)})",
    "font.size": 9,
    "axes.titlesize": 9,
    "figure.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "text.parse_math": False,
}
LETTER = 0.085  # inches that a letter of a title needs, on the safe side
LONGEST_TITLE = 200  # letters of a line above a grid, which is as wide as its title
GAP = 0.75  # grey level of the lines between images
DPI = 100  # of grids, so that each pixel of an image is whole; charts have twice as many


def grid(images: Tensor, shape: tuple[int, int, int], columns: int, magnify: int = 1) -> np.ndarray:
    """images [N, D] in [0, 1] → one picture [height, width, 3] uint8, row by row, with grey lines between images."""
    channels, height, width = shape
    rows = -(-len(images) // columns)
    picture = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, 3), GAP, np.float32)
    pixels = images.detach().float().clamp(0, 1).cpu().numpy().reshape(-1, channels, height, width)
    for i, image in enumerate(pixels):
        top, left = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        colours = image[:3] if channels >= 3 else image[:1]  # one channel fills all three colours
        picture[top : top + height, left : left + width] = np.moveaxis(colours, 0, -1)
    return (255 * picture).round().astype(np.uint8).repeat(magnify, 0).repeat(magnify, 1)


def signed(difference: Tensor) -> Tensor:
    """Grey images [N, D] with values in [−1, 1] → colours [N, 3, D]: blue below 0, white at 0, red above 0."""
    from matplotlib import colormaps

    colours = colormaps["RdBu_r"]((0.5 + 0.5 * difference.detach().float().cpu().clamp(-1, 1)).numpy())
    return difference.new_tensor(colours[..., :3]).movedim(-1, 1)


def magnification(columns: int, width: int, target: int = 1000) -> int:
    """The whole factor, at most 4, that brings the width of a grid near `target` pixels."""
    return min(4, max(1, round(target / (columns * (width + 1)))))


def save(
    path: Path,
    picture: np.ndarray,
    title: str,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
) -> None:
    """Write a grid as a PNG without resampling: the title above, a label left of each row and below each column."""
    from matplotlib import rc_context  # slow to import, and needed only at the end of a run
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    title = plain(title, LONGEST_TITLE)
    row_labels, column_labels = list(map(label, row_labels)), list(map(label, column_labels))
    lines, longest = title.count("\n") + 1, max(map(len, title.split("\n")))
    top, bottom, right = 0.12 + 0.2 * lines, 0.3 if any(column_labels) else 0.1, 0.15
    left = 0.15 + 0.075 * max(map(len, row_labels), default=0)
    height, width = (side / DPI for side in picture.shape[:2])
    total_width = max(width + left + right, LETTER * longest)
    total_height = height + top + bottom
    rows, columns = len(row_labels), len(column_labels)
    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure((total_width, total_height), dpi=DPI)
        start = max(left, (total_width - width) / 2)  # centred below a title that is wider
        box = start / total_width, bottom / total_height, width / total_width, height / total_height
        axes = figure.add_axes(box)
        axes.imshow(picture, interpolation="nearest", aspect="auto")
        axes.set_xticks([(i + 0.5) * picture.shape[1] / columns for i in range(columns)], column_labels)
        axes.set_yticks([(i + 0.5) * picture.shape[0] / rows for i in range(rows)], row_labels)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        figure.text(0.5, 1 - 0.5 * top / total_height, title, ha="center", va="center", fontsize=10)
        _print(FigureCanvasAgg(figure), path)


@contextmanager
def chart(
    path: Path, title: str, size: tuple[float, float] = (6.4, 4.0), panels: int = 1, rows: int = 1
) -> Iterator[Any]:
    """Yield the axes of a chart, an array of them for several panels, and write the PNG afterwards. `size` is in
    inches; a title that is wider is cut in the middle."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

    with rc_context(STYLE):
        figure = Figure(size, dpi=2 * DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        figure.suptitle(plain(title, round(13 * size[0])))  # letters in an inch
        yield figure.subplots(rows, panels)
    # powers of ten are mathematics: the ticks of logarithmic axes are made anew while the picture is drawn
    with rc_context(STYLE | {"text.parse_math": True}):
        for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                axis.reset_ticks()
        _print(canvas, path)


def _print(canvas: Any, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a name may be in any script
        canvas.print_png(path)


def scatter(axes: Any, points: Tensor, labels: Tensor | None) -> None:
    """points [N, 2], one colour for each class, whose name stands at the mean of its points and in the legend."""
    x, y = points.detach().float().cpu().T.numpy()
    size = min(12.0, max(2.0, 20_000 / len(x)))
    if labels is None:
        axes.scatter(x, y, s=size, alpha=0.5, linewidths=0)
        return
    for i, kind in enumerate(labels.unique().tolist()):
        here = (labels == kind).cpu().numpy()
        colour = PALETTE[i % len(PALETTE)]
        axes.scatter(x[here], y[here], s=size, alpha=0.5, linewidths=0, color=colour, label=str(kind))
        axes.text(
            x[here].mean(), y[here].mean(), str(kind), weight="bold", ha="center", va="center",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": colour},
        )  # fmt: skip
    axes.legend(title="class", markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))


def histogram(axes: Any, values: dict[str, np.ndarray]) -> None:
    """The share of each set's images in common bins. The first and the last bin also have the outermost 0.1 % of all
    values on their side."""
    low, high = np.quantile(np.concatenate(list(values.values())), [0.001, 0.999])
    edges = np.linspace(low, high if high > low else low + 1, 61)
    for i, (name, each) in enumerate(values.items()):
        weights = np.full(len(each), 100 / len(each))
        axes.hist(np.clip(each, edges[0], edges[-1]), edges, weights=weights, alpha=0.65, label=label(name), color=PALETTE[i])  # fmt: skip
    axes.set_ylabel("images in bin / %")


def floor(axes: Any, value: float, name: str, upright: bool = False) -> None:
    """A dashed line at a limit or a reference value."""
    line = axes.axvline if upright else axes.axhline
    line(value, color="black", linestyle="--", linewidth=1, label=name)
