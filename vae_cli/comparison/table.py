"""Many members → one table: what differs, what it did, mean ± standard deviation over seeds, best first."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vae_cli.errors import UserError, did_you_mean
from vae_cli.metrics.registry import SPLITS, direction, headlines, metric
from vae_cli.runs.differing import axes, differing, distinct, setting_of, show
from vae_cli.runs.record import FINISHED, RunRecord


class Statistic(NamedTuple):
    mean: float
    std: float | None  # over seeds, of the sample; None of one member
    n: int


class Row(NamedTuple):
    """Members that differ in their seed alone."""

    settings: dict[str, Any]  # column → number or text; None where the members have no such key
    members: list[RunRecord]
    figures: dict[str, Statistic]


class Table(NamedTuple):
    columns: list[str]  # the keys that differ
    figures: list[str]
    rows: list[Row]  # best first; those without the figure last
    others: list[RunRecord]  # that have not finished, or cannot be read
    value: str  # the figure compared
    maximize: bool
    x: str | None
    y: str | None
    notices: list[str]

    @property
    def ranked(self) -> list[tuple[Row, RunRecord]]:
        return [(row, member) for row in self.rows for member in row.members]


def table(members: Sequence[RunRecord], settings: Mapping[str, Any]) -> Table:
    """Raises UserError where nothing has finished, and for a figure or key that does not exist or does not differ."""
    finished = [member for member in members if member.status == FINISHED]
    others = [member for member in members if member.status != FINISHED]
    if not finished:
        said = "; ".join(f"{member.name}: {member.status}" for member in others[:5])
        more = f"; and {len(others) - 5} more" if len(others) > 5 else ""
        raise UserError(f"no run has finished: {said}{more}")
    figures = list(dict.fromkeys(name for member in finished for name in member.figures))
    value = _value(figures, settings["value"])
    maximize = (direction(value) if settings["best"] == "auto" else settings["best"]) == "max"
    columns = differing(finished)
    rows = _sorted(_rows(finished, columns), value, maximize)
    x, y = axes(finished, columns, settings["x"], settings["y"])
    notices = list(_notices(rows, finished, columns, value))
    return Table(columns, figures, rows, others, value, maximize, x, y, notices)


def floor(row: Row, figure: str) -> float | None:
    """What `figure` cannot pass, from the entropy of the data where it is known."""
    entropies = {member.entropy for member in row.members}
    entropy = entropies.pop() if len(entropies) == 1 else None
    limit = metric(figure).floor
    return None if entropy is None or limit is None else limit(entropy)


def _rows(members: Sequence[RunRecord], columns: list[str]) -> list[Row]:
    groups: dict[tuple[Any, ...], list[RunRecord]] = {}
    for member in members:
        settings = tuple(setting_of(member, column) for column in columns)
        groups.setdefault(settings, []).append(member)
    return [
        Row(dict(zip(columns, settings, strict=True)), group, _statistics(group))
        for settings, group in groups.items()
    ]


def _statistics(members: Sequence[RunRecord]) -> dict[str, Statistic]:
    values: dict[str, list[float]] = {}
    for member in members:
        for name, value in member.figures.items():
            values.setdefault(name, []).append(value)
    return {name: _statistic(each) for name, each in values.items()}


def _statistic(values: list[float]) -> Statistic:
    std = statistics.stdev(values) if len(values) > 1 else None
    return Statistic(statistics.fmean(values), std, len(values))


def _sorted(rows: list[Row], value: str, maximize: bool) -> list[Row]:
    def key(row: Row) -> float:
        mean = row.figures[value].mean if value in row.figures else math.inf
        return -mean if maximize and value in row.figures else mean

    return sorted(rows, key=key)


def _value(figures: list[str], value: str) -> str:
    if value == "auto":
        first = [f"{split}.{row.name}" for split in SPLITS for row in headlines() if row.direction]
        return next((name for name in (*first, *figures) if name in figures), "test.nll")
    if value not in figures:
        raise UserError(
            f"value={value}: no finished run has it{did_you_mean(value, figures)}; there are {', '.join(figures)}"
        )
    return value


def best_of(rows: Iterable[Row], value: str) -> Row | None:
    """Of rows that are sorted, best first."""
    return next((row for row in rows if value in row.figures), None)


def matrix(table: Table, x: str, y: str) -> tuple[list[Any], list[Any], np.ndarray]:
    """The values of x [X], of y [Y], and the figure's means [Y, X]: the best where rows differ in other keys, too,
    NaN where there is none."""
    members = [member for _, member in table.ranked]
    xs, ys = distinct(members, x), distinct(members, y)
    means = np.full((len(ys), len(xs)), np.nan)
    for row in reversed(table.rows):  # the best comes last and stays
        if table.value in row.figures:
            cell = ys.index(row.settings[y]), xs.index(row.settings[x])
            means[cell] = row.figures[table.value].mean
    return xs, ys, means


def _notices(rows: list[Row], members: list[RunRecord], columns: list[str], value: str) -> Iterable[str]:
    for key in ("data", "likelihood"):
        if key in columns and metric(value).unit:
            kinds = ", ".join(map(show, distinct(members, key)))
            yield f"The members differ in their {key} ({kinds}): nats of one say nothing beside nats of another."
    for row in rows:
        seeds = [member.config.get("seed") for member in row.members]
        if twice := [m.name for m in row.members if seeds.count(m.config.get("seed")) > 1]:
            yield f"The same configuration and seed more than once, so that ± is too small: {', '.join(twice)}."
    if lacking := sum(value not in row.figures for row in rows):
        yield f"{lacking} of {len(rows)} rows have no {value}: they come last."


def show_settings(row: Row, columns: Iterable[str]) -> str:
    return ", ".join(f"{c}={show(row.settings[c])}" for c in columns if row.settings[c] is not None)
