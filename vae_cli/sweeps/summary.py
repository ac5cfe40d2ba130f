"""The table that the console shows at the end of a sweep."""

import os
import shlex
from collections.abc import Sequence

from vae_cli.errors import printable
from vae_cli.reporting.table import aligned
from vae_cli.runs.differing import differing, distinct, setting_text
from vae_cli.runs.folder import FINISHED
from vae_cli.runs.record import RunRecord
from vae_cli.sweeps.call import NOT_STARTED, Entry, SweepCall
from vae_cli.sweeps.monitor import MONITORS
from vae_cli.sweeps.status import record_of

METRICS = {"elbo": "test.elbo", "nll": "test.nll", "s": "seconds"}  # column → metric


def close_sweeps() -> bool:
    """End the watch of each sweep of this process, and print its table. Returns whether all members have finished."""
    begun = [monitor for monitor in MONITORS if monitor.has_begun]
    complete = [summarize(monitor.call, monitor.close(), monitor.expected) for monitor in begun]
    return all(complete)


def summarize(call: SweepCall, entries: Sequence[Entry], expected: int | None) -> bool:
    """Print a row for each member, with the keys in which the members differ, and a line for each that did not finish.
    Returns whether all have finished; a member about which nothing is known has not."""
    members = [record_of(entry, call.name(entry)) for entry in entries if entry.status != NOT_STARTED]
    if members:
        _print_table(members)
    reasons = [printable(entry.error or "") for entry in entries if entry.status == NOT_STARTED]
    missing = max(0, (1 if expected is None else expected) - len(members))
    if missing:
        of = f" of {expected}" if expected else ""
        print(f"not started: {missing}{of} members{'; ' if reasons else ''}{reasons[0] if reasons else ''}")
    return not missing and all(member.status == FINISHED for member in members)


def _print_table(members: list[RunRecord]) -> None:
    columns = differing([member for member in members if member.config])
    if len({member.setting("seed") for member in members}) > 1:
        columns.append("seed")
    print()
    header = ["status", *METRICS, *columns]
    rows = [_row(member, columns) for member in _in_order(members, columns)]
    print(*aligned(rows, "<>>>" + "<" * len(columns), header), sep="\n")
    for member in _in_order(members, columns):
        if member.status != FINISHED:
            print(_reason(member))
    parents = dict.fromkeys(os.path.relpath(member.folder.path.parent) for member in members)
    print(f"compare them: vae-compare {shlex.join(parents)}")


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
    """Why a member did not finish, and where it is; its name, if it has left no folder."""
    place = str(member.folder) if member.folder.path.exists() else member.name
    parts = [member.status, *([member.error] if member.error else [])]
    return printable(": ".join([*parts, *([place] if place not in (member.error or "") else [])]))
