"""vae-compare: read run folders, write compare.html, compare.csv, compare.json and pictures, print a table."""

import csv
import logging
import os
import time
from pathlib import Path
from typing import Any

from vae_cli.comparison.gallery import PICTURES, draw_all
from vae_cli.comparison.members import read_members
from vae_cli.comparison.page import comparison_page, metrics_in_order, statistic_text
from vae_cli.comparison.table import Table, tabulate
from vae_cli.config.schema.commands import CompareConfig
from vae_cli.errors import LONGEST, UserError, printable
from vae_cli.reporting.table import aligned
from vae_cli.reporting.text import cell
from vae_cli.runs.differing import setting_text
from vae_cli.runs.discovery import COMPARISON, run_folders, without_comparisons
from vae_cli.runs.files import user_path
from vae_cli.runs.folder import FINISHED
from vae_cli.runs.interrupts import signals_raise
from vae_cli.runs.output import OutputFolder

log = logging.getLogger("vae_cli")

FILES = frozenset({COMPARISON, "compare.csv", "compare.html", *(f"{name}.png" for name in PICTURES)})


def compare(settings: CompareConfig) -> Table:
    """Write into a new folder that replaces `out` once it is complete.

    Raises UserError before anything is written."""
    started = time.perf_counter()
    with signals_raise():
        members = read_members(run_folders(settings.folders))
        table = tabulate(members, settings.value, settings.best, settings.x, settings.y)
        output = _output(settings)
        output.path.parent.mkdir(parents=True, exist_ok=True)
        with output.replaced() as new:
            pictures, undrawn = draw_all(table, new)
            table = table._replace(notices=[*table.notices, *undrawn])
            _write_csv(table, new / "compare.csv")
            page = comparison_page(table, settings, pictures, output.path)
            (new / "compare.html").write_text(page, encoding="utf-8")
            output.write_manifest(new, _summary(table, settings) | {"seconds": time.perf_counter() - started})
    _print(table, output.path)
    return table


def _output(settings: CompareConfig) -> OutputFolder:
    """Raises UserError for a folder that holds anything else than an earlier comparison."""
    given = settings.out or Path(without_comparisons(settings.folders)[0]) / "comparison"
    out = Path(os.path.abspath(user_path(given)))  # noqa: PTH100, Path.resolve would follow links
    output = OutputFolder(out, COMPARISON, "rows", FILES)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError(f"out={given} is not a folder: name a new one")
    if output.foreign() and not output.is_written():
        raise UserError(f"out={given} is not empty and holds no comparison: name a new folder")
    output.refuse()
    return output


def _write_csv(table: Table, file: Path) -> None:
    """One line for each row and for each member that has not finished; NAME.std is over seeds."""
    columns = [column for name in table.metrics for column in (name, f"{name}.std")]
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(map(cell, ["members", "status", "n", *table.columns, *columns]))
        for row in table.rows:
            found = [row.metrics.get(name) for name in table.metrics]
            numbers = [value for each in found for value in (each[:2] if each else (None, None))]
            members = "; ".join(str(cell(member.name)) for member in row.members)
            values = [members, FINISHED, len(row.members), *row.settings.values(), *numbers]
            writer.writerow(map(cell, values))
        for other in table.others:
            settings = map(other.setting, table.columns)
            writer.writerow(map(cell, [other.name, other.status, 1, *settings, *[None] * len(columns)]))


def _summary(table: Table, settings: CompareConfig) -> dict[str, Any]:
    return {
        "settings": settings.plain(),
        "value": table.value,
        "best": "max" if table.maximize else "min",
        "x": table.x,
        "y": table.y,
        "differs": table.columns,
        "notices": table.notices,
        "rows": [
            {
                "settings": row.settings,
                "members": [str(member.folder) for member in row.members],
                "figures": {name: statistic._asdict() for name, statistic in row.metrics.items()},
            }
            for row in table.rows
        ],
        "others": {str(other.folder): other.status for other in table.others},
    }


def _print(table: Table, out: Path) -> None:
    metrics = metrics_in_order(table)
    header = [*table.columns, "n", *metrics, "member"]
    rows = []
    for row in table.rows:
        settings = map(setting_text, row.settings.values())
        numbers = [statistic_text(row.metrics.get(name), name) for name in metrics]
        more = f" and {len(row.members) - 1} more" if len(row.members) > 1 else ""
        rows.append([*settings, str(len(row.members)), *numbers, row.members[0].name + more])
    for line in aligned(rows, ">" * len(header), header, rest="compare.csv and compare.html"):
        log.info("%s", line)
    for other in table.others:
        log.info("  %s", printable(f"not finished: {other.name}: {other.status}", LONGEST))
    for notice in table.notices:
        log.warning("  %s", printable(notice, LONGEST))
    log.info("  %s", printable(str(out / "compare.html")))
