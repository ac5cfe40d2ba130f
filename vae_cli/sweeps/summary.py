"""The table that the console shows at the end of a sweep."""

import os
import shlex

from vae_cli.reporting.table import aligned
from vae_cli.runs.differing import differing, distinct, setting_text
from vae_cli.runs.folder import FINISHED
from vae_cli.runs.record import RunRecord
from vae_cli.sweeps.folder import SweepFolder

METRICS = {"elbo": "test.elbo", "nll": "test.nll", "s": "seconds"}  # column → metric


def summarize(sweep: SweepFolder, members: list[RunRecord]) -> bool:
    """Print a row for each member, with the keys in which the members differ, and a line for each that did not finish.
    Returns whether all have finished."""
    if not members:
        return True
    columns = differing(members)
    if len({member.setting("seed") for member in members}) > 1:
        columns.append("seed")
    print()
    header = ["status", *METRICS, *columns]
    rows = [_row(member, columns) for member in _in_order(members, columns)]
    print(*aligned(rows, "<>>>" + "<" * len(columns), header), sep="\n")
    for member in _in_order(members, columns):
        if member.status != FINISHED:
            print(_reason(member))
    print(f"compare them: vae-compare {shlex.quote(os.path.relpath(sweep.path))}")
    return all(member.status == FINISHED for member in members)


def _in_order(members: list[RunRecord], columns: list[str]) -> list[RunRecord]:
    """Sorted by the values of the columns, from left to right."""
    values = {column: distinct(members, column) for column in columns}
    return sorted(
        members, key=lambda member: [values[column].index(member.setting(column)) for column in columns]
    )


def _row(member: RunRecord, columns: list[str]) -> list[str]:
    metrics = [f"{member.metrics[name]:.2f}" if name in member.metrics else "–" for name in METRICS.values()]
    settings = [f"{column}={setting_text(member.setting(column))}" for column in columns]
    return [member.status, *metrics, *settings]


def _reason(member: RunRecord) -> str:
    """Why a member did not finish, and its folder."""
    if not member.error:
        return f"{member.status}: {member.folder}"
    where = "" if str(member.folder) in member.error else f": {member.folder}"
    return f"{member.status}: {member.error}{where}"
