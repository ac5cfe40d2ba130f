"""What differs between members, and the two keys worth an axis."""

from collections.abc import Iterable, Sequence
from typing import Any

from vae_cli.config.schema import compares
from vae_cli.errors import UserError, did_you_mean
from vae_cli.runs.record import RunRecord, is_reference


def differing(members: Sequence[RunRecord]) -> list[str]:
    """The keys that tell members apart, the seed aside, `latent.name` as `latent`. A key that merely refers to
    another one is not told twice; one that an option alone has tells nothing beyond that option."""
    keys = dict.fromkeys(key for member in members for key in member.config)
    kept = [key for key in keys if key != "seed" and compares(key) and _differs(key, members)]
    return [column_name(key) for key in kept]


def column_name(key: str) -> str:
    return key.removesuffix(".name")


def _differs(key: str, members: Sequence[RunRecord]) -> bool:
    present = [member for member in members if key in member.config]
    if all(is_reference(member.config[key]) for member in present):
        return False
    values = {member.setting(key) for member in present}
    return len(values) > 1 or (len(present) < len(members) and not _implied(key, members))


def _implied(key: str, members: Sequence[RunRecord]) -> bool:
    """Whether the group's options that have `key` are others than those that lack it."""
    option = f"{key.partition('.')[0]}.name"
    having = {member.config.get(option) for member in members if key in member.config}
    lacking = {member.config.get(option) for member in members if key not in member.config}
    return "." in key and not having & lacking


def setting_of(member: RunRecord, column: str) -> Any:
    return member.setting(f"{column}.name" if f"{column}.name" in member.config else column)


def distinct(members: Iterable[RunRecord], column: str) -> list[Any]:
    """The values of a column in order: numbers, then texts, then the absence of the key."""
    values = {setting_of(member, column) for member in members}
    return sorted(values, key=lambda v: (v is None, isinstance(v, str), v if v is not None else 0))


def axes(
    members: Sequence[RunRecord], columns: list[str], x: str, y: str | None
) -> tuple[str | None, str | None]:
    """The keys of the axes; unless said, the one with most values and the one that was swept together with it."""
    counts = {column: len(distinct(members, column)) for column in columns}
    names = [column for column in columns if column != "name"] or columns  # a name explains nothing
    free = sorted(names, key=lambda column: -counts[column])
    for axis, key in (("x", x), ("y", y)):
        if key not in ("auto", None):
            _check_axis(axis, key, columns, members[0])
    chosen = column_name(x) if x != "auto" else next((c for c in free if c != column_name(y or "")), None)
    if y != "auto":
        if y is not None and column_name(y) == chosen:
            raise UserError(f"y={y} is x already: take two keys; what differs: {', '.join(columns)}")
        return chosen, y and column_name(y)
    for column in free:
        if column == chosen or chosen is None:
            continue
        cells = {(setting_of(member, column), setting_of(member, chosen)) for member in members}
        if 2 * len(cells) > counts[column] * counts[chosen]:
            return chosen, column  # a grid, not two keys that vary one after the other
    return chosen, None


def _check_axis(axis: str, key: str, columns: list[str], member: RunRecord) -> None:
    there_is = f"; what differs: {', '.join(columns)}" if columns else "; nothing but the seed differs"
    if column_name(key) in columns:
        return
    if key == "seed":
        raise UserError(f"{axis}=seed: seeds make up mean and standard deviation of a row{there_is}")
    if key in member.config or f"{key}.name" in member.config:
        shown = show(setting_of(member, column_name(key)))
        raise UserError(f"{axis}={key} does not differ between the members, it is {shown}{there_is}")
    names = [*columns, *map(column_name, member.config)]
    raise UserError(f"{axis}={key}: no member has this key{did_you_mean(key, names)}{there_is}")


def show(value: Any) -> str:
    return "–" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
