"""Who has finished: the lines at a sweep's end."""

import os
import shlex
from pathlib import Path

from vae_cli.reporting.table import aligned
from vae_cli.runs import record
from vae_cli.runs.differing import differing, distinct, setting_text
from vae_cli.runs.folder import FINISHED, RunFolder
from vae_cli.runs.record import RunRecord

METRICS = ("test.elbo", "test.nll", "seconds")


def earlier_failure(folder: RunFolder) -> str | None:
    """What a member's summary.json says of an earlier attempt that failed or diverged."""
    member = record.read(folder, folder.name)
    return f"{member.status}: {member.error}" if member.status in ("failed", "diverged") else None


def roll_call(sweep: Path, found: list[RunRecord]) -> bool:
    """Print a line for each member that a call came to: status, elbo, nll, seconds, what differs; who did not finish,
    and why. Whether all have finished."""
    if not found:
        return True
    columns = differing(found) + (["seed"] if len({member.setting("seed") for member in found}) > 1 else [])
    values = {column: distinct(found, column) for column in columns}
    found.sort(key=lambda member: [values[column].index(member.setting(column)) for column in columns])
    print()
    header = ["status", "elbo", "nll", "s", *columns]
    rows = [_cells(member, columns) for member in found]
    print(*aligned(rows, "<>>>" + "<" * len(columns), header), sep="\n")
    for member in found:
        if member.status != FINISHED:
            print(_why(member))
    print(f"compare them: vae-compare {shlex.quote(os.path.relpath(sweep))}")
    return all(member.status == FINISHED for member in found)


def _cells(member: RunRecord, columns: list[str]) -> list[str]:
    metrics = [f"{member.metrics[name]:.2f}" if name in member.metrics else "–" for name in METRICS]
    settings = [f"{column}={setting_text(member.setting(column))}" for column in columns]
    return [member.status, *metrics, *settings]


def _why(member: RunRecord) -> str:
    if not member.error:
        return f"{member.status}: {member.folder}"
    where = "" if str(member.folder) in member.error else f": {member.folder}"
    return f"{member.status}: {member.error}{where}"
