"""Charts of a comparison: the metric over x, and rate against distortion.

Each function writes one picture and returns its caption, or returns None where there is nothing to draw.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.comparison.labels import (
    best_of_other_keys,
    is_logarithmic,
    key_label,
    metric_label,
    spans_decades,
    value_label,
)
from vae_cli.comparison.table import Row, Table, best_of, common_entropy, floor
from vae_cli.metrics.registry import SPLITS
from vae_cli.reporting import plots
from vae_cli.reporting.text import label
from vae_cli.runs.differing import distinct, setting_text
from vae_cli.runs.record import RunRecord

MOST_SERIES = 10  # lines in one chart, one colour each
BESIDE = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}  # a legend to the right of the axes


def lines(table: Table, path: Path) -> str | None:
    """The metric over x with one line for each y; error bars are one standard deviation."""
    if table.x is None or best_of(table.rows, table.value) is None:
        return None
    xs = distinct(table.members, table.x)
    kinds = distinct(table.members, table.y) if table.y else [None]
    with plots.chart(path, f"{metric_label(table.value)} over {key_label(table.x)}", (7.2, 4.2)) as axes:
        for i, kind in enumerate(kinds[:MOST_SERIES]):
            rows = [row for row in table.rows if not table.y or row.settings[table.y] == kind]
            name = label(f"{table.y}={setting_text(kind)}") if table.y else None
            _line(axes, table, rows, xs, plots.PALETTE[i], name)
        _floor(axes, table)
        axes.set(xlabel=key_label(table.x), ylabel=metric_label(table.value))
        _scales(axes, table, xs)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(**BESIDE)
    hidden = len(kinds) - MOST_SERIES
    more = f"{hidden} more values of {table.y} are left out." if hidden > 0 else ""
    caption = f"{metric_label(table.value)} over {table.x}: mean ± standard deviation over seeds."
    return f"{caption} {best_of_other_keys(table)}{more}".strip()


def _line(axes: Any, table: Table, rows: list[Row], xs: list[Any], colour: str, name: str | None) -> None:
    """The best row at each x."""
    at = [[row for row in rows if row.settings[str(table.x)] == x] for x in xs]
    best = [row for each in at if (row := best_of(each, table.value))]
    places = [row.settings[str(table.x)] for row in best]
    values = [row.metrics[table.value] for row in best]
    numeric = _is_numeric(xs)
    axes.errorbar(
        places if numeric else [xs.index(place) for place in places],
        [value.mean for value in values],
        [value.std or 0 for value in values],
        color=colour, label=name, marker="o", markersize=4, capsize=3, linestyle="-" if numeric else "none",
    )  # fmt: skip


def _scales(axes: Any, table: Table, xs: list[Any]) -> None:
    if not _is_numeric(xs):
        axes.set_xticks(range(len(xs)), list(map(value_label, xs)), rotation=30, ha="right")
    elif is_logarithmic(xs):
        axes.set_xscale("log")
        ticks = xs[:: -(-len(xs) // 10)]  # at the values rather than at powers of ten
        axes.set_xticks(ticks, [setting_text(x) for x in ticks])
        axes.set_xticks([], minor=True)
    if spans_decades(row.metrics[table.value].mean for row in table.rows if table.value in row.metrics):
        axes.set_yscale("log")


def _is_numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _floor(axes: Any, table: Table) -> None:
    floors = {floor(row, table.value) for row in table.rows}
    if len(floors) == 1 and (value := floors.pop()) is not None:
        plots.floor(axes, value, f"floor {value:.3f}: no model is beyond it")


def rate_distortion(table: Table, path: Path) -> str | None:
    """One point for each member, of the split of the compared metric where that has both terms."""
    for split in (table.value.partition(".")[0], *SPLITS):
        rate, distortion = f"{split}.rate", f"{split}.distortion"
        members = [member for member in table.members if {rate, distortion} <= member.metrics.keys()]
        if members:
            break
    else:
        return None
    with plots.chart(path, f"Rate and distortion of {len(members):,} members", (7.2, 4.6)) as axes:
        points = np.array([(member.metrics[rate], member.metrics[distortion]) for member in members])
        _points(axes, points, members, table.x)
        if (entropy := common_entropy(table.members)) is not None:
            name = f"rate + distortion = entropy {entropy:.3f}"
            axes.plot([0, entropy], [entropy, 0], color="black", linestyle="--", linewidth=1, label=name)
        axes.set(xlabel=f"{rate} / nats per image", ylabel=f"{distortion} / nats per image")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(**BESIDE, title=key_label(table.x))
    return (
        "Each point is a member. rate + distortion = −elbo: better members lie nearer to the lower left. "
        "The dashed line is the entropy of the data, where it is known: no model can be below it."
    )


def _points(axes: Any, points: np.ndarray, members: Sequence[RunRecord], key: str | None) -> None:
    """points [N, 2]: one colour for each value of `key`, or a colour scale where it has many numbers."""
    values = [member.setting(key) for member in members] if key else []
    kinds = distinct(members, key) if key else []
    if key and len(kinds) <= MOST_SERIES:
        for i, kind in enumerate(kinds):
            here = np.array([value == kind for value in values])
            axes.scatter(*points[here].T, s=18, color=plots.PALETTE[i], label=value_label(kind))
    elif key and _is_numeric(kinds):
        from matplotlib.colors import LogNorm

        norm = LogNorm() if is_logarithmic(kinds) else None
        image = axes.scatter(*points.T, s=14, c=values, cmap="viridis", norm=norm)
        axes.figure.colorbar(image, ax=axes, label=key_label(key))
    else:
        axes.scatter(*points.T, s=14)
