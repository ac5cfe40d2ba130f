"""The heat map: the compared metric over the keys x and y."""

from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.comparison.labels import best_of_other_keys, key_label, metric_label, spans_decades, value_label
from vae_cli.comparison.table import Table, best_of
from vae_cli.reporting import plots
from vae_cli.runs.differing import distinct, setting_text

MOST_NUMBERS = 144  # more cells have no room for their number
MOST_TICKS = 30
LONGEST_UPRIGHT = 6  # letters of a label below the map; longer ones are rotated


def heat_map(table: Table, path: Path) -> str | None:
    """Write the picture and return its caption; None where there are no two axes."""
    if table.x is None or table.y is None:
        return None
    xs, ys, means = matrix(table, table.x, table.y)
    if not np.isfinite(means).any():
        return None
    title = f"{metric_label(table.value)} by {key_label(table.x)} and {key_label(table.y)}"
    width = max(min(14, 2.4 + 0.62 * max(len(xs), 4)), plots.LETTER * len(title))
    with plots.chart(path, title, (width, min(12, 1.5 + 0.42 * max(len(ys), 4)))) as axes:
        colours = "viridis" if table.maximize else "viridis_r"
        image = axes.imshow(means, cmap=colours, norm=_norm(means), aspect="auto", origin="lower")
        axes.figure.colorbar(image, ax=axes, label=metric_label(table.value))
        axes.grid(False)
        axes.set(xlabel=key_label(table.x), ylabel=key_label(table.y))
        _ticks(axes, xs, ys)
        if means.size <= MOST_NUMBERS:
            _numbers(axes, image, means)
        _frame_best(axes, table, xs, ys)
    rest = "The frame marks the best value. Empty cells have no finished member."
    return f"{metric_label(table.value)}, mean over seeds. {best_of_other_keys(table)}{rest}"


def matrix(table: Table, x: str, y: str) -> tuple[list[Any], list[Any], np.ndarray]:
    """The values of x [X], of y [Y], and the metric's means [Y, X]: that of the best row where several rows belong to
    a cell, NaN where none does."""
    xs, ys = distinct(table.members, x), distinct(table.members, y)
    means = np.full((len(ys), len(xs)), np.nan)
    for row in reversed(table.rows):  # the best comes last and stays
        if table.value in row.metrics:
            cell = ys.index(row.settings[y]), xs.index(row.settings[x])
            means[cell] = row.metrics[table.value].mean
    return xs, ys, means


def _norm(means: np.ndarray) -> Any:
    from matplotlib.colors import LogNorm

    return LogNorm() if spans_decades(means[np.isfinite(means)]) else None


def _ticks(axes: Any, xs: list[Any], ys: list[Any]) -> None:
    for axis, values in ((axes.xaxis, xs), (axes.yaxis, ys)):
        step = -(-len(values) // MOST_TICKS)
        labels = [value_label(value) for value in values[::step]]
        axis.set_ticks(range(0, len(values), step), labels)
    if max(len(setting_text(value)) for value in xs) > LONGEST_UPRIGHT:
        axes.tick_params("x", rotation=45)


def _numbers(axes: Any, image: Any, means: np.ndarray) -> None:
    for (i, j), mean in np.ndenumerate(means):
        if np.isfinite(mean):
            red, green, blue, _ = image.cmap(image.norm(mean))
            colour = "white" if 0.3 * red + 0.6 * green + 0.1 * blue < 0.5 else "black"
            axes.text(j, i, f"{mean:.4g}", ha="center", va="center", fontsize=7, color=colour)


def _frame_best(axes: Any, table: Table, xs: list[Any], ys: list[Any]) -> None:
    from matplotlib.patches import Rectangle

    assert table.x is not None and table.y is not None
    if (best := best_of(table.rows, table.value)) is not None:
        corner = xs.index(best.settings[table.x]) - 0.5, ys.index(best.settings[table.y]) - 0.5
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=plots.PALETTE[2], linewidth=2.5))
