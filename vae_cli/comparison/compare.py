"""What a comparison leaves: compare.html, compare.csv, compare.json and pictures in one folder, a table on the console."""

import csv
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_cli.comparison.gallery import draw_all
from vae_cli.comparison.page import comparison_page, figures_shown, shown
from vae_cli.comparison.table import Table, table
from vae_cli.config.arguments import names, run_folders
from vae_cli.errors import UserError
from vae_cli.reporting.table import aligned
from vae_cli.runs.checkpoint import write_json
from vae_cli.runs.differing import setting_of, show
from vae_cli.runs.record import read

log = logging.getLogger("vae_cli")


def compare(settings: Mapping[str, Any]) -> Table:
    """Read, compare and draw into a folder that becomes `out` when it is whole.

    Raises UserError before anything was written."""
    started = time.perf_counter()
    runs = run_folders(settings["folders"])
    members = [read(folder, name) for folder, name in zip(runs, names(runs), strict=True)]
    of = table(members, settings)
    out = _out(settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".comparison-", dir=out.parent) as name:
        partial = Path(name) / "comparison"
        partial.mkdir()
        pictures = {
            name: (partial / f"{name}.png", caption) for name, caption in draw_all(of, partial).items()
        }
        _csv(of, partial / "compare.csv")
        write_json(
            partial / "compare.json", _summary(of, settings) | {"seconds": time.perf_counter() - started}
        )
        (partial / "compare.html").write_text(comparison_page(of, settings, pictures, out), encoding="utf-8")
        if out.exists():
            out.rename(Path(name) / "earlier")
        partial.rename(out)
    _console(of, out)
    return of


def _out(settings: Mapping[str, Any]) -> Path:
    """Where to; never a folder that holds something else than an earlier comparison."""
    given = settings["out"] or Path(settings["folders"][0]) / "comparison"
    out = Path(os.path.abspath(Path(given).expanduser()))  # noqa: PTH100, a link in the path stays
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError(f"out={given} is no folder: name a new one")
    if out.is_dir() and any(out.iterdir()) and not (out / "compare.json").exists():
        raise UserError(f"out={given} holds something else than a comparison: name a new folder")
    return out


def _csv(of: Table, file: Path) -> None:
    """One line a row, and one for each member that has not finished; NAME.std is over seeds."""
    figures = [column for name in of.figures for column in (name, f"{name}.std")]
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["members", "status", "n", *of.columns, *figures])
        for row in of.rows:
            found = [row.figures.get(name) for name in of.figures]
            numbers = [value for each in found for value in (each[:2] if each else (None, None))]
            members = "; ".join(member.name for member in row.members)
            writer.writerow([members, "finished", len(row.members), *row.settings.values(), *numbers])
        for other in of.others:
            settings = [setting_of(other, column) for column in of.columns]
            writer.writerow([other.name, other.status, 1, *settings, *[None] * len(figures)])


def _summary(of: Table, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "settings": dict(settings),
        "value": of.value,
        "best": "max" if of.maximize else "min",
        "x": of.x,
        "y": of.y,
        "differs": of.columns,
        "notices": of.notices,
        "rows": [
            {
                "settings": row.settings,
                "members": [str(member.folder) for member in row.members],
                "figures": {name: figure._asdict() for name, figure in row.figures.items()},
            }
            for row in of.rows
        ],
        "others": {str(other.folder): other.status for other in of.others},
    }


def _console(of: Table, out: Path) -> None:
    """As many columns as the terminal has room for; all of them into a file or a pipe."""
    figures = figures_shown(of)
    header = [*of.columns, "n", *figures, "member"]
    lines = []
    for row in of.rows:
        settings = [show(value) for value in row.settings.values()]
        numbers = [shown(row.figures.get(name), name) for name in figures]
        more = f" and {len(row.members) - 1} more" if len(row.members) > 1 else ""
        lines.append([*settings, str(len(row.members)), *numbers, row.members[0].name + more])
    for text in aligned(lines, ">" * len(header), header, rest="compare.csv and compare.html"):
        log.info("%s", text)
    for other in of.others:
        log.info("  not finished: %s: %s", other.name, other.status)
    for notice in of.notices:
        log.warning("  %s", notice)
    log.info("  %s", out / "compare.html")
