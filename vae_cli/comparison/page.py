"""compare.html: many runs on one self-contained page."""

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vae_cli.comparison.table import Row, Statistic, Table
from vae_cli.config.quoting import quoted
from vae_cli.config.schema.commands import CompareConfig
from vae_cli.metrics.registry import headlines, metric
from vae_cli.reporting.html import embedded, number, render
from vae_cli.runs.differing import setting_text
from vae_cli.runs.record import RunRecord

SEED = re.compile(r"[,/]?seed[=_]\d+")  # in the name of a member


def comparison_page(
    table: Table, settings: CompareConfig, pictures: Mapping[str, tuple[Path, str]], out: Path
) -> str:
    """`pictures`: name → (PNG file, caption). Links are relative to `out`, the folder that will hold the page."""
    best, n = table.rows[0], len(table.members)
    counts = f"{len(table.rows):,} rows · {len(table.others):,} not finished"
    best_name = _common_name(best) or best.members[0].name
    return render(
        "compare.html",
        title=f"{n:,} {'run' if n == 1 else 'runs'} by {table.value}",
        subtitle=f"{', '.join(settings.folders)} · {counts} · best: {best_name}",
        notices=table.notices,
        cards=_cards(best, table.value.rpartition(".")[0]),
        value=table.value,
        heads=_heads(table),
        rows=[_row(table, row, out) for row in table.rows],
        pictures=embedded(pictures),
        others=[{"name": o.name, "status": o.status, "href": _link(o, out)} for o in table.others],
        commands=_command(settings),
    )


def metrics_in_order(table: Table) -> list[str]:
    """The compared metric first."""
    return [table.value, *(name for name in table.metrics if name != table.value)]


def statistic_text(statistic: Statistic | None, name: str) -> str:
    """`104.046 ± 14.027`; a count is shown as a whole number where its mean is one."""
    if statistic is None:
        return "–"
    whole = statistic.mean.is_integer() and metric(name).is_count
    mean = number(int(statistic.mean) if whole else statistic.mean)
    return mean if statistic.std is None else f"{mean} ± {statistic.std:,.3f}"


def _cards(best: Row, split: str) -> list[dict[str, str]]:
    found = [(row.label, f"{split}.{row.name}") for row in headlines()]
    return [
        {"name": f"best row: {label}", "value": statistic_text(best.metrics[name], name)}
        for label, name in found
        if name in best.metrics
    ]


def _heads(table: Table) -> list[dict[str, str]]:
    columns: dict[str, list[Any]] = {"member": [""], "n": [1]}
    columns |= {column: [row.settings[column] for row in table.rows] for column in table.columns}
    settings = [
        {"name": name, "meaning": "", "kind": _setting_kind(values), "sorted": ""}
        for name, values in columns.items()
    ]
    order = "descending" if table.maximize else "ascending"
    return settings + [
        {
            "name": f"{name} / {metric(name).unit}".removesuffix(" / "),
            "meaning": metric(name).meaning,
            "kind": _kind(table, name),
            "sorted": order if name == table.value else "",
        }
        for name in metrics_in_order(table)
    ]


def _setting_kind(values: Iterable[Any]) -> str:
    return "number" if all(isinstance(value, int | float) for value in values) else ""


def _kind(table: Table, name: str) -> str:
    """The CSS classes of a metric's column."""
    return "number compared" if name == table.value else "number"


def _row(table: Table, row: Row, out: Path) -> dict[str, Any]:
    alone = len(row.members) == 1
    links = [
        {"name": m.name, "text": m.name if alone else f"seed {m.setting('seed')}", "href": _link(m, out)}
        for m in row.members
    ]
    cells = [_setting_cell(value) for value in (len(row.members), *row.settings.values())]
    cells += [_metric_cell(table, row, name) for name in metrics_in_order(table)]
    return {"name": row.members[0].name, "common": _common_name(row), "links": links, "cells": cells}


def _setting_cell(value: Any) -> dict[str, Any]:
    return {
        "text": setting_text(value),
        "sort": "" if value is None else value,
        "kind": _setting_kind([value]),
    }


def _metric_cell(table: Table, row: Row, name: str) -> dict[str, Any]:
    statistic = row.metrics.get(name)
    sort = "" if statistic is None else statistic.mean
    return {"text": statistic_text(statistic, name), "sort": sort, "kind": _kind(table, name)}


def _common_name(row: Row) -> str:
    """The name that the members of a row share apart from their seeds."""
    names = {SEED.sub("", member.name).strip(",/") for member in row.members}
    return names.pop() if len(names) == 1 and len(row.members) > 1 else ""


def _link(member: RunRecord, out: Path) -> str:
    return quote(os.fsencode(os.path.relpath(member.report, out)))


def _command(settings: CompareConfig) -> str:
    """The command that makes this page, as it can be pasted."""
    given = {key: value for key, value in settings.plain().items() if key != "folders"}
    defaults = {key: None if key == "out" else "auto" for key in given}
    keys = [f"{key}={_value(value)}" for key, value in given.items() if value != defaults[key]]
    return shlex.join(["vae-compare", *settings.folders, *keys])


def _value(value: str | None) -> str:
    """As Hydra reads it."""
    if value is None:
        return "null"
    return value if re.fullmatch(r"[\w./-]+", value) else quoted(value)
