"""What there is to see in the figures of many runs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.comparison.table import Row, Table, best_of, floor, matrix
from vae_cli.metrics.registry import metric
from vae_cli.reporting import plots
from vae_cli.runs.differing import distinct, setting_of, show
from vae_cli.runs.record import RunRecord

MOST_SERIES = 10  # lines in one chart, one colour each
ANNOTATED = 144  # cells that still have room for their number


def heat_map(table: Table, path: Path) -> str | None:
    if table.x is None or table.y is None:
        return None
    xs, ys, means = matrix(table, table.x, table.y)
    if not np.isfinite(means).any():
        return None
    from matplotlib.patches import Rectangle

    title = f"{_name(table.value)} by {table.x} and {table.y}"
    width = max(min(14, 2.4 + 0.62 * max(len(xs), 4)), 0.085 * len(title))
    size = (width, min(12, 1.5 + 0.42 * max(len(ys), 4)))
    with plots.chart(path, title, size) as axes:
        colours = "viridis" if table.maximize else "viridis_r"
        shown = axes.imshow(means, cmap=colours, norm=_norm(means), aspect="auto", origin="lower")
        axes.figure.colorbar(shown, ax=axes, label=_name(table.value))
        axes.grid(False)
        for axis, values in ((axes.xaxis, xs), (axes.yaxis, ys)):
            step = -(-len(values) // 30)
            axis.set_ticks(range(0, len(values), step), [label(show(v)) for v in values[::step]])
        if max(len(show(v)) for v in xs) > 6:
            axes.tick_params("x", rotation=45)
        axes.set(xlabel=table.x, ylabel=table.y)
        if means.size <= ANNOTATED:
            _annotate(axes, shown, means)
        if (best := best_of(table.rows, table.value)) is not None:
            corner = xs.index(best.settings[table.x]) - 0.5, ys.index(best.settings[table.y]) - 0.5
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=plots.PALETTE[2], linewidth=2.5))
    return f"{_name(table.value)}, mean over seeds. {_best_of_others(table)}Framed: the best. Empty: nothing finished."


def _annotate(axes: Any, shown: Any, means: np.ndarray) -> None:
    for (i, j), mean in np.ndenumerate(means):
        if np.isfinite(mean):
            red, green, blue, _ = shown.cmap(shown.norm(mean))
            dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
            axes.text(j, i, f"{mean:.4g}", ha="center", va="center", fontsize=7, color="white" if dark else "black")  # fmt: skip


def lines(table: Table, path: Path) -> str | None:
    """The figure over x with a line for each y, error bars one standard deviation."""
    if table.x is None or best_of(table.rows, table.value) is None:
        return None
    members = [member for _, member in table.ranked]
    xs = distinct(members, table.x)
    series = distinct(members, table.y)[:MOST_SERIES] if table.y else [None]
    numeric = all(isinstance(value, int | float) for value in xs)
    with plots.chart(path, f"{_name(table.value)} over {table.x}", (7.2, 4.2)) as axes:
        for i, one in enumerate(series):
            rows = [row for row in table.rows if not table.y or row.settings[table.y] == one]
            best = [row for x in xs if (row := best_of(_at(rows, table.x, x), table.value))]
            places = [row.settings[table.x] if numeric else xs.index(row.settings[table.x]) for row in best]
            figures = [row.figures[table.value] for row in best]
            name = f"{table.y}={show(one)}" if table.y else None
            axes.errorbar(
                places, [f.mean for f in figures], [f.std or 0 for f in figures], color=plots.PALETTE[i],
                label=name and label(name), marker="o", markersize=4, capsize=3, linestyle="-" if numeric else "none",
            )  # fmt: skip
        _floors(axes, table)
        axes.set(xlabel=table.x, ylabel=_name(table.value))
        if numeric:
            axes.set_xscale("log" if is_logarithmic(xs) else "linear")
            if is_logarithmic(xs):  # ticks at the values rather than at powers of ten
                ticks = xs[:: -(-len(xs) // 10)]
                axes.set_xticks(ticks, [show(v) for v in ticks])
                axes.set_xticks([], minor=True)
        else:
            axes.set_xticks(range(len(xs)), [label(show(v)) for v in xs], rotation=30, ha="right")
        if wide(f.mean for row in table.rows if (f := row.figures.get(table.value))):
            axes.set_yscale("log")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    left_out = len(distinct(members, table.y)) - len(series) if table.y else 0
    more = f" {left_out} further values of {table.y} are left out." if left_out > 0 else ""
    return f"{_name(table.value)} over {table.x}: mean ± standard deviation over seeds. {_best_of_others(table)}{more}".strip()


def rate_distortion(table: Table, path: Path) -> str | None:
    split = next((s for s in (table.value.partition(".")[0], "test", "validation", "evaluation")
                  if any({f"{s}.rate", f"{s}.distortion"} <= m.figures.keys() for _, m in table.ranked)), None)  # fmt: skip
    if split is None:
        return None
    rate, distortion = f"{split}.rate", f"{split}.distortion"
    ranked = [(r, m) for r, m in table.ranked if {rate, distortion} <= m.figures.keys()]
    title = f"Rate and distortion of {len(ranked):,} members"
    with plots.chart(path, title, (7.2, 4.6)) as axes:
        points = np.array([(m.figures[rate], m.figures[distortion]) for _, m in ranked])
        _coloured(axes, points, [m for _, m in ranked], table.x)
        if (entropy := common_entropy(table)) is not None:
            name = f"rate + distortion = entropy {entropy:.3f}"
            axes.plot([0, entropy], [entropy, 0], color="black", linestyle="--", linewidth=1, label=name)
        axes.set(xlabel=f"{rate} / nats per image", ylabel=f"{distortion} / nats per image")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), title=table.x and label(table.x))
    return "One point a member; rate + distortion = −elbo, so that the better members lie nearer to the lower left. No model can be below the dashed line, where the entropy of the data is known."


def _coloured(axes: Any, points: np.ndarray, members: Sequence[RunRecord], key: str | None) -> None:
    """points [N, 2]: a colour for each value of `key`, or a scale where there are many numbers."""
    values = [setting_of(member, key) for member in members] if key else []
    kinds = distinct(members, key) if key else []
    if key and len(kinds) <= MOST_SERIES:
        for i, kind in enumerate(kinds):
            here = np.array([value == kind for value in values])
            axes.scatter(*points[here].T, s=18, color=plots.PALETTE[i], label=label(show(kind)))
    elif key and all(isinstance(value, int | float) for value in kinds):
        from matplotlib.colors import LogNorm

        shown = axes.scatter(*points.T, s=14, c=values, cmap="viridis", norm=LogNorm() if is_logarithmic(kinds) else None)  # fmt: skip
        axes.figure.colorbar(shown, ax=axes, label=key)
    else:
        axes.scatter(*points.T, s=14)


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether numbers in order are spread more evenly in their logarithms: 0.1, 1, 10 and not 1, 2, 3."""
    if len(values) < 2 or values[0] <= 0 or values[-1] < 10 * values[0]:
        return False
    plain, logarithmic = (np.diff(scale(np.asarray(values, float))) for scale in (np.asarray, np.log))
    return bool(len(values) == 2 or logarithmic.std() / logarithmic.mean() < plain.std() / plain.mean())


def wide(values: Iterable[float]) -> bool:
    """Whether figures, all above 0, span more than two powers of ten."""
    found = list(values)
    return bool(found) and min(found) > 0 and max(found) > 100 * min(found)


def _norm(means: np.ndarray) -> Any:
    from matplotlib.colors import LogNorm

    return LogNorm() if wide(means[np.isfinite(means)]) else None


def common_entropy(table: Table) -> float | None:
    """Of the data, where all members model the same."""
    entropies = {member.entropy for _, member in table.ranked}
    return entropies.pop() if len(entropies) == 1 else None


def _floors(axes: Any, table: Table) -> None:
    floors = {floor(row, table.value) for row in table.rows}
    if len(floors) == 1 and (value := floors.pop()) is not None:
        plots.floor(axes, value, f"floor {value:.3f}: no model is beyond it")


def _at(rows: Sequence[Row], key: str, value: Any) -> list[Row]:
    return [row for row in rows if row.settings[key] == value]


def _name(figure: str) -> str:
    return f"{figure} / {metric(figure).unit}".removesuffix(" / ").replace("nats/image", "nats per image")


def _best_of_others(table: Table) -> str:
    others = [column for column in table.columns if column not in (table.x, table.y)]
    names = ", ".join(others) if len(others) <= 4 else f"{len(others)} other keys"
    return f"Of rows that differ in {names} the best. " if others else ""


def label(text: str) -> str:
    """For matplotlib, which reads `$` as mathematics and hides what begins with `_`."""
    text = shortened(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def shortened(text: str, longest: int = 60) -> str:
    """Cut in the middle: names of members often begin and end with what matters."""
    return text if len(text) <= longest else f"{text[: longest // 2]}…{text[1 - longest // 2 :]}"
