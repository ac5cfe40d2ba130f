"""The table of a comparison: members that differ only in their seed are one row; the best row comes first."""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from vae_cli.comparison import evaluations
from vae_cli.comparison.axes import choose_axes
from vae_cli.errors import UserError, did_you_mean
from vae_cli.metrics.registry import NATS, SPLITS, direction, headlines, metric
from vae_cli.runs.differing import differing, distinct, setting_text
from vae_cli.runs.folder import FINISHED
from vae_cli.runs.record import RunRecord

NAMED = 5  # unfinished members in an error message


class Statistic(NamedTuple):
    """Of one metric over the members of a row."""

    mean: float
    std: float | None  # of the sample; None for one member
    n: int


class Row(NamedTuple):
    """Members that differ only in their seed."""

    settings: dict[str, Any]  # column → number or text; None where the members have no such key
    members: list[RunRecord]
    metrics: dict[str, Statistic]


class Table(NamedTuple):
    columns: list[str]  # the keys that differ
    metrics: list[str]
    rows: list[Row]  # best first; rows without the compared metric last
    others: list[RunRecord]  # members that have not finished or cannot be read
    value: str  # the compared metric
    maximize: bool
    x: str | None
    y: str | None
    notices: list[str]

    @property
    def pairs(self) -> list[tuple[Row, RunRecord]]:
        """Each finished member with its row, best rows first."""
        return [(row, member) for row in self.rows for member in row.members]

    @property
    def members(self) -> list[RunRecord]:
        return [member for _, member in self.pairs]


def tabulate(members: Sequence[RunRecord], value: str, best: str, x: str, y: str | None) -> Table:
    """Arguments as in compare.yaml. Raises UserError where nothing has finished, and for a metric or key that does
    not exist, does not differ or has no direction."""
    finished = [member for member in members if member.status == FINISHED]
    others = [member for member in members if member.status != FINISHED]
    if not finished:
        named = "; ".join(f"{member.name}: {member.status}" for member in others[:NAMED])
        more = f"; and {len(others) - NAMED} more" if len(others) > NAMED else ""
        raise UserError(f"no run has finished: {named}{more}")
    metrics = list(dict.fromkeys(name for member in finished for name in member.metrics))
    mixed = evaluations.differences(finished, metrics)
    value = _compared(metrics, value, mixed)
    maximize = (direction(value) if best == "auto" else best) == "max"
    columns = differing(finished)
    rows = _sorted(_rows(finished, columns), value, maximize)
    axes = choose_axes(finished, columns, x, y)
    notices = [*_notices(rows, finished, columns, value), *evaluations.notices(mixed)]
    notices += [notice for member in members for notice in member.notices]
    return Table(columns, metrics, rows, others, value, maximize, *axes, notices)


def best_of(rows: Iterable[Row], value: str) -> Row | None:
    """The first of sorted rows that has the metric."""
    return next((row for row in rows if value in row.metrics), None)


def common_entropy(members: Iterable[RunRecord]) -> float | None:
    """The entropy of the data, where all members model the same data and it is known."""
    entropies = {member.entropy for member in members}
    return entropies.pop() if len(entropies) == 1 else None


def floor(row: Row, name: str) -> float | None:
    """The value of a metric that no model can pass, where the entropy of the row's data gives one."""
    entropy, limit = common_entropy(row.members), metric(name).floor
    return None if entropy is None or limit is None else limit(entropy)


def settings_text(row: Row, columns: Iterable[str]) -> str:
    settings = ((column, row.settings[column]) for column in columns)
    return ", ".join(f"{column}={setting_text(value)}" for column, value in settings if value is not None)


def _compared(metrics: list[str], value: str, mixed: Mapping[str, str]) -> str:
    """The metric to compare; none of `mixed`, whose values cannot be compared."""
    if value == "auto":
        known = (f"{split}.{row.name}" for split in SPLITS for row in headlines() if row.direction)
        usable = [name for name in metrics if name not in mixed]
        return next((name for name in (*known, *usable) if name in usable), "test.nll")
    if value not in metrics:
        hint = did_you_mean(value, metrics)
        raise UserError(f"value={value}: no finished run has it{hint}; there are {', '.join(metrics)}")
    evaluations.refuse(value, mixed)
    return value


def _rows(members: Sequence[RunRecord], columns: list[str]) -> list[Row]:
    groups: dict[tuple[Any, ...], list[RunRecord]] = {}
    for member in members:
        groups.setdefault(tuple(map(member.setting, columns)), []).append(member)
    return [
        Row(dict(zip(columns, settings, strict=True)), group, _statistics(group))
        for settings, group in groups.items()
    ]


def _statistics(members: Sequence[RunRecord]) -> dict[str, Statistic]:
    values: dict[str, list[float]] = {}
    for member in members:
        for name, value in member.metrics.items():
            values.setdefault(name, []).append(value)
    mixed = evaluations.differences(members, list(values))
    return {name: _statistic(each) for name, each in values.items() if name not in mixed}


def _statistic(values: list[float]) -> Statistic:
    std = statistics.stdev(values) if len(values) > 1 else None
    return Statistic(statistics.fmean(values), std, len(values))


def _sorted(rows: list[Row], value: str, maximize: bool) -> list[Row]:
    def key(row: Row) -> float:
        if value not in row.metrics:
            return math.inf
        return -row.metrics[value].mean if maximize else row.metrics[value].mean

    return sorted(rows, key=key)


def _notices(rows: list[Row], members: list[RunRecord], columns: list[str], value: str) -> Iterator[str]:
    for key in ("data", "likelihood"):
        if key in columns and metric(value).unit == NATS:
            kinds = ", ".join(map(setting_text, distinct(members, key)))
            yield f"The members differ in their {key} ({kinds}): values of {value} cannot be compared between them."
    for row in rows:
        seeds = [member.setting("seed") for member in row.members]
        if twice := [m.name for m in row.members if seeds.count(m.setting("seed")) > 1]:
            names = ", ".join(twice)
            yield f"The same configuration and seed occur more than once, which makes ± too small: {names}."
    if lacking := sum(value not in row.metrics for row in rows):
        yield f"{lacking} of {len(rows)} rows have no {value}: they come last."
