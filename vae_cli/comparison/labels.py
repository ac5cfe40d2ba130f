"""Labels and captions of a comparison's pictures, and whether an axis should be logarithmic."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vae_cli.comparison.table import Row, Table, settings_text
from vae_cli.metrics.registry import metric
from vae_cli.reporting.text import LONGEST_LABEL, label
from vae_cli.runs.differing import setting_text
from vae_cli.runs.record import RunRecord

MOST_MEMBERS = 24  # in a picture that shows each member
NAMED = 5  # members in a sentence
MOST_SETTINGS = 3  # beside the name of a member


def metric_label(name: str) -> str:
    """`test.nll / nats per image`"""
    return label(f"{name} / {metric(name).unit}".removesuffix(" / ").replace("nats/image", "nats per image"))


def key_label(key: str | None) -> str | None:
    return None if key is None else label(key)


def value_label(value: Any) -> str:
    return label(setting_text(value))


def member_title(table: Table, row: Row, member: RunRecord) -> str:
    """A member's name, with its settings where they are few and the name does not contain them. The settings alone if
    the name is too long for a label, as that of a sweep's member may be, and no other member has the same settings."""
    few = len(table.columns) <= MOST_SETTINGS
    if few and table.columns and len(row.members) == 1 and len(member.name) > LONGEST_LABEL:
        return settings_text(row, table.columns)
    settings = {column: value for column, value in row.settings.items() if value is not None}
    in_name = all(f"{column}={setting_text(value)}" in member.name for column, value in settings.items())
    if in_name or not few:
        return member.name
    return f"{member.name} ({settings_text(row, table.columns)})"


def best_of_other_keys(table: Table) -> str:
    """The sentence of a caption that says which rows a cell or point leaves out."""
    others = [column for column in table.columns if column not in (table.x, table.y)]
    names = ", ".join(others) if len(others) <= 4 else f"{len(others)} other keys"
    return f"Of rows that differ in {names}, the best one is shown. " if others else ""


def of_the_best(table: Table) -> str:
    """The words of a caption where a picture does not show all members."""
    n = len(table.members)
    return f" of the best {MOST_MEMBERS} of {n:,} members" if n > MOST_MEMBERS else ""


def left_out(reasons: Mapping[str, str]) -> str:
    """The sentence of a caption that names members whose files cannot be read; `reasons`: name → why."""
    named = [f"{name} ({why})" for name, why in list(reasons.items())[:NAMED]]
    more = f" and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
    return f" Left out: {', '.join(named)}{more}." if reasons else ""


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether sorted numbers are spaced more evenly on a logarithmic scale: true for 0.1, 1, 10, false for 1, 2, 3."""
    if len(values) < 2 or values[0] <= 0 or values[-1] < 10 * values[0]:
        return False
    if len(values) == 2:
        return True
    linear, logarithmic = (np.diff(scale(np.asarray(values, float))) for scale in (np.asarray, np.log))
    return bool(logarithmic.std() / logarithmic.mean() < linear.std() / linear.mean())


def spans_decades(values: Iterable[float]) -> bool:
    """Whether numbers, all above 0, span more than two powers of ten."""
    found = list(values)
    return bool(found) and min(found) > 0 and max(found) > 100 * min(found)
