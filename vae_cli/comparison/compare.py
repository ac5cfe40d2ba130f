"""vae-compare: read run folders, write compare.html, compare.csv, compare.json and pictures, print a table."""

import csv
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from vae_cli.comparison.gallery import draw_all
from vae_cli.comparison.page import comparison_page, metrics_in_order, statistic_text
from vae_cli.comparison.table import Table, tabulate
from vae_cli.config.schema.commands import CompareConfig
from vae_cli.errors import UserError
from vae_cli.reporting.table import aligned
from vae_cli.runs.differing import setting_text
from vae_cli.runs.discovery import relative_names, run_folders
from vae_cli.runs.documents import write_json
from vae_cli.runs.folder import FINISHED
from vae_cli.runs.record import read

log = logging.getLogger("vae_cli")


def compare(settings: CompareConfig) -> Table:
    """Write into a temporary folder that replaces `out` once it is complete.

    Raises UserError before anything is written."""
    started = time.perf_counter()
    folders = run_folders(settings.folders)
    members = [read(folder, name) for folder, name in zip(folders, relative_names(folders), strict=True)]
    table = tabulate(members, settings.value, settings.best, settings.x, settings.y)
    out = _out(settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".comparison-", dir=out.parent) as name:
        partial = Path(name) / "comparison"
        partial.mkdir()
        pictures = draw_all(table, partial)
        _write_csv(table, partial / "compare.csv")
        page = comparison_page(table, settings, pictures, out)
        (partial / "compare.html").write_text(page, encoding="utf-8")
        summary = _summary(table, settings) | {"seconds": time.perf_counter() - started}
        write_json(partial / "compare.json", summary)
        if out.exists():
            out.rename(Path(name) / "earlier")
        partial.rename(out)
    _print(table, out)
    return table


def _out(settings: CompareConfig) -> Path:
    """The folder to write. Raises UserError for one that holds anything else than an earlier comparison."""
    given = settings.out or Path(settings.folders[0]) / "comparison"
    out = Path(os.path.abspath(Path(given).expanduser()))  # noqa: PTH100, Path.resolve would follow links
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError(f"out={given} is not a folder: name a new one")
    if out.is_dir() and any(out.iterdir()) and not (out / "compare.json").exists():
        raise UserError(f"out={given} is not empty and holds no comparison: name a new folder")
    return out


def _write_csv(table: Table, file: Path) -> None:
    """One line for each row and for each member that has not finished; NAME.std is over seeds."""
    columns = [column for name in table.metrics for column in (name, f"{name}.std")]
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["members", "status", "n", *table.columns, *columns])
        for row in table.rows:
            found = [row.metrics.get(name) for name in table.metrics]
            numbers = [value for each in found for value in (each[:2] if each else (None, None))]
            members = "; ".join(member.name for member in row.members)
            writer.writerow([members, FINISHED, len(row.members), *row.settings.values(), *numbers])
        for other in table.others:
            settings = map(other.setting, table.columns)
            writer.writerow([other.name, other.status, 1, *settings, *[None] * len(columns)])


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
        log.info("  not finished: %s: %s", other.name, other.status)
    for notice in table.notices:
        log.warning("  %s", notice)
    log.info("  %s", out / "compare.html")
