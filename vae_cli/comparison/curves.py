"""The learning curves of the best members in one chart."""

from pathlib import Path
from typing import Any

import numpy as np

from vae_cli.comparison.charts import BESIDE, MOST_SERIES
from vae_cli.comparison.labels import MOST_MEMBERS, left_out, member_title, of_the_best
from vae_cli.comparison.members import LARGEST, reason
from vae_cli.comparison.table import Row, Table, common_entropy
from vae_cli.reporting import plots
from vae_cli.reporting.text import label
from vae_cli.runs.metrics_log import curve
from vae_cli.runs.record import RunRecord

Curve = tuple[Row, RunRecord, str, list[tuple[float, float]]]  # the split and its points (epoch, elbo)


def curves(table: Table, path: Path) -> str | None:
    """Write the picture and return its caption; None where no member has logged an elbo."""
    found, damaged = _curves(table)
    if not found:
        return None
    with plots.chart(path, "Learning curves", (9.6, 2.6 + 0.14 * len(found))) as axes:
        for i, (row, member, split, points) in enumerate(found):
            style = "-" if split == "validation" else ":"
            name = label(member_title(table, row, member))
            axes.plot(*zip(*points, strict=True), style, color=_colour(i, len(found)), label=name, linewidth=1.2)  # fmt: skip
        elbos = [[elbo for _, elbo in points] for *_, points in found]
        low, high = min(float(np.median(each)) for each in elbos), max(map(max, elbos))
        if (entropy := common_entropy(table.members)) is not None:
            plots.floor(axes, -entropy, f"−entropy {-entropy:.3f}")
            high = max(high, -entropy)
        margin = 0.05 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
        axes.set(xlabel="epoch", ylabel="elbo / nats per image")
        axes.legend(**BESIDE, fontsize=7)
    return (
        f"The validation elbo during training{of_the_best(table)}; dotted: the training elbo, where there is no "
        "validation. At least the better half of each curve's points is shown; first steps and spikes may lie below "
        f"the picture.{left_out(damaged)}"
    )


def _curves(table: Table) -> tuple[list[Curve], dict[str, str]]:
    """Those of the best members that have one, and why other members' metrics cannot be read, by name."""
    found, damaged = [], {}
    for row, member in table.pairs[:MOST_MEMBERS]:
        try:
            split, points = curve(member.folder.metrics_file)
        except Exception as error:  # whatever the file holds
            damaged[member.name] = reason(error)
            continue
        if shown := [point for point in points if max(map(abs, point)) <= LARGEST]:
            found.append((row, member, split, shown))
    return found, damaged


def _colour(i: int, n: int) -> Any:
    from matplotlib import colormaps

    return plots.PALETTE[i] if n <= MOST_SERIES else colormaps["viridis"](i / n)
