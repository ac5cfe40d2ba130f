"""Reads the members of a comparison one by one, so that a bad one does not take the others down."""

from collections.abc import Mapping, Sequence
from typing import Any

from vae_cli.errors import LONGEST, printable
from vae_cli.runs.discovery import relative_names
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.record import RunRecord, read

LARGEST = 1e30  # no metric or setting is meant beyond it, and charts cannot show it


def read_members(folders: Sequence[RunFolder]) -> list[RunRecord]:
    """The record of each run. What a run says in numbers beyond LARGEST is left out, with a notice."""
    return [_member(folder, name) for folder, name in zip(folders, relative_names(folders), strict=True)]


def reason(error: Exception) -> str:
    """Why a member cannot be read, on one line."""
    return printable(f"{type(error).__name__}: {error}", LONGEST)


def _member(folder: RunFolder, name: str) -> RunRecord:
    try:
        return _in_bounds(read(folder, name))
    except Exception as error:  # whatever its files hold
        return RunRecord(folder, name, f"unreadable: {reason(error)}", {}, {}, None)


def _in_bounds(record: RunRecord) -> RunRecord:
    beyond = [name for name, value in record.metrics.items() if abs(value) > LARGEST]
    notices = [f"{record.name}: {name} is {record.metrics[name]:.3g} and is left out" for name in beyond]
    entropy = record.entropy
    return record._replace(
        config=_as_texts(record.config),
        metrics={name: value for name, value in record.metrics.items() if name not in beyond},
        entropy=None if entropy is None or abs(entropy) > LARGEST else entropy,
        notices=(*record.notices, *notices),
    )


def _as_texts(config: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers that no axis can show, as texts: those beyond LARGEST, infinite ones and NaN."""
    return {
        key: str(value) if isinstance(value, int | float) and not abs(value) <= LARGEST else value
        for key, value in config.items()
    }
