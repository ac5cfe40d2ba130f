"""The keys in which runs differ, and their values as columns of a table."""

from collections.abc import Iterable, Sequence
from typing import Any

from vae_cli.config.diff import compares
from vae_cli.runs.record import RunRecord, is_reference


def differing(members: Sequence[RunRecord]) -> list[str]:
    """The columns in which members differ, without the seed. Keys that only refer to another key are left out, and so
    are keys that only some members have because they belong to an option that differs itself."""
    keys = dict.fromkeys(key for member in members for key in member.config)
    return [column_name(key) for key in keys if key != "seed" and compares(key) and _differs(key, members)]


def column_name(key: str) -> str:
    """The column of `latent.name` is `latent`."""
    return key.removesuffix(".name")


def _differs(key: str, members: Sequence[RunRecord]) -> bool:
    present = [member for member in members if key in member.config]
    if all(is_reference(member.config[key]) for member in present):
        return False
    values = {member.setting(key) for member in present}
    return len(values) > 1 or (len(present) < len(members) and not _implied(key, members))


def _implied(key: str, members: Sequence[RunRecord]) -> bool:
    """Whether members that have `key` and members that lack it have different options of its group."""
    option = f"{key.partition('.')[0]}.name"
    having = {member.config.get(option) for member in members if key in member.config}
    lacking = {member.config.get(option) for member in members if key not in member.config}
    return "." in key and not having & lacking


def distinct(members: Iterable[RunRecord], column: str) -> list[Any]:
    """The values of a column in order: numbers, texts, None for members without the key."""
    values = {member.setting(column) for member in members}
    return sorted(values, key=lambda v: (v is None, isinstance(v, str), v if v is not None else 0))


def setting_text(value: Any) -> str:
    return "–" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
