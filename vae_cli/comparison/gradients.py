"""The gradient along training, and what it led to: one colour for each row of the table, such as each estimator."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vae_cli.comparison.labels import metric_label
from vae_cli.comparison.table import Row, Table, floor, settings_text
from vae_cli.reporting import plots
from vae_cli.reporting.text import label
from vae_cli.runs.differing import setting_text
from vae_cli.runs.metrics_log import series

MOST_ROWS = 2 * len(plots.PALETTE)  # a colour, solid or dashed
VARIANCE, BIAS = "gradient_variance", "gradient_bias"


class Shown(NamedTuple):
    row: Row
    name: str
    colour: str
    dashes: str
    curves: dict[str, np.ndarray]  # metric → [steps, 4]: step, median, least and largest of the members


def gradients(table: Table, path: Path) -> str | None:
    """Write the picture and return its caption; None where no member has measured its gradient, or all are in one row."""
    rows = [row for row in table.rows if table.value in row.metrics][:MOST_ROWS]
    shown = [_shown(i, row, table) for i, row in enumerate(rows)]
    if len(shown) < 2 or not any(VARIANCE in each.curves for each in shown):
        return None
    has_bias = any(BIAS in each.curves for each in shown)
    height = max(4.0, 1.6 + 0.22 * len(shown))
    with plots.chart(
        path, "Gradients of the encoder", (12.5 if has_bias else 9.5, height), 2 + has_bias
    ) as axes:
        _curves(axes[0], shown, VARIANCE, "variance, summed over parameters")
        if has_bias:
            _curves(axes[1], shown, BIAS, "distance from the exact gradient / standard errors")
            plots.floor(axes[1], 1, "1: no bias")
            axes[1].legend(loc="upper left")
        _ends(axes[-1], shown, table)
    left_out = len(table.rows) - len(rows)
    return (
        "Left: the variance of the gradient over draws of the noise. "
        + ("Middle: how far the mean of the draws is from the exact gradient. " if has_bias else "")
        + f"Right: {metric_label(table.value)} at the end, with one standard deviation over seeds. Lines are medians over "
        "members that differ in their seed, bands their least and largest value, which may lie beyond the picture. A gradient without variance has no line. "
        "Where all codes are certain, few draws meet a flip, and variance and standard error come out too small. "
        "Each is measured along its own training." + (f" {left_out} rows are left out." if left_out else "")
    )


def _shown(i: int, row: Row, table: Table) -> Shown:
    colour, dashes = plots.PALETTE[i % len(plots.PALETTE)], "-" if i < len(plots.PALETTE) else "--"
    curves = {
        name: found
        for name in (VARIANCE, BIAS)
        if len(found := _over_members(series(m.folder.metrics_file, "validation", name) for m in row.members))
    }
    return Shown(row, label(_name(row, table)), colour, dashes, curves)


def _name(row: Row, table: Table) -> str:
    """The value of the first key that alone tells all rows apart, such as the estimator; else all that differs."""
    for column in table.columns:
        if len({setting_text(each.settings[column]) for each in table.rows}) == len(table.rows):
            return setting_text(row.settings[column])
    return settings_text(row, table.columns)


def _over_members(each: Iterable[dict[int, float]]) -> np.ndarray:
    """[steps, 4] at the steps that all members have in common, where all values are above 0."""
    members = list(each)
    common = set.intersection(*map(set, members)) if members else set()
    values = {step: [member[step] for member in members] for step in sorted(common)}
    found = [[step, np.median(v), min(v), max(v)] for step, v in values.items() if min(v) > 0]
    return np.array(found).reshape(len(found), 4)


def _curves(axes: Any, shown: list[Shown], name: str, what: str) -> None:
    """On a logarithmic axis that shows all medians. A variance that happens to be nearly 0, because no draw has changed a
    certain code, would stretch it over the bands."""
    measured = [each for each in shown if name in each.curves]
    for each in measured:
        steps, median, low, high = each.curves[name].T
        point = "." if len(steps) < 3 else ""
        axes.plot(steps, median, each.dashes, color=each.colour, linewidth=1.4, marker=point)
        axes.fill_between(steps, low, high, color=each.colour, alpha=0.15, linewidth=0)
    medians = np.concatenate([each.curves[name][:, 1] for each in measured])
    axes.set(xlabel="step", ylabel=what, yscale="log", ylim=(medians.min() / 3, 3 * medians.max()))


def _ends(axes: Any, shown: list[Shown], table: Table) -> None:
    """The best at the top, each beside its name in its colour: the legend of all panels."""
    for place, each in enumerate(shown):
        value = each.row.metrics[table.value]
        axes.errorbar(
            value.mean, place, xerr=value.std or 0, color=each.colour, marker="o", markersize=5, capsize=3
        )
    axes.set_yticks(range(len(shown)), [each.name for each in shown])
    for text, each in zip(axes.get_yticklabels(), shown, strict=True):
        text.set(color=each.colour, weight="bold")
    axes.invert_yaxis()
    axes.set_xlabel(metric_label(table.value))
    floors = {floor(each.row, table.value) for each in shown}
    if len(floors) == 1 and (limit := floors.pop()) is not None:
        plots.floor(axes, limit, f"floor {limit:.3f}", upright=True)
        axes.legend(loc="upper right")
