"""compare.html: many runs on one self-contained page."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vae_cli.comparison.table import Row, Statistic, Table
from vae_cli.metrics.registry import headlines, metric
from vae_cli.reporting.html import embedded, number, render
from vae_cli.runs.differing import show
from vae_cli.runs.record import RunRecord


def comparison_page(
    of: Table, settings: Mapping[str, Any], pictures: Mapping[str, tuple[Path, str]], out: Path
) -> str:
    """`pictures` name → (PNG file, caption); `out` is where the links start. Everything in it is escaped."""
    best, members = of.rows[0], len(of.ranked)
    split = of.value.rpartition(".")[0]
    cards = [(row.name, best.figures.get(f"{split}.{row.name}")) for row in headlines()]
    return render(
        "compare.html",
        title=f"{members:,} {'run' if members == 1 else 'runs'} by {of.value}",
        subtitle=f"{', '.join(settings['folders'])} · {len(of.rows):,} rows · {len(of.others):,} not finished · best: "
        f"{_common(best) or best.members[0].name}",
        notices=of.notices,
        cards=[
            {"name": f"best row: {name}", "value": shown(figure, f"{split}.{name}")}
            for name, figure in cards
            if figure
        ],
        value=of.value,
        heads=_heads(of),
        rows=[_row(of, row, out) for row in of.rows],
        pictures=embedded(pictures),
        others=[{"name": o.name, "status": o.status, "href": _link(o, out)} for o in of.others],
        commands=shlex.join(["vae-compare", *settings["folders"], *_said(settings)]),
    )


def _said(settings: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}={value}"
        for key, value in settings.items()
        if key != "folders" and value not in ("auto", None)
    ]


def _heads(of: Table) -> list[dict[str, str]]:
    order = "descending" if of.maximize else "ascending"
    heads = [{"name": name, "kind": "", "sorted": "", "meaning": ""} for name in ("member", "n", *of.columns)]
    return heads + [
        {
            "name": f"{name} / {metric(name).unit}".removesuffix(" / "),
            "kind": _kind(of, name),
            "meaning": metric(name).meaning,
            "sorted": order if name == of.value else "",
        }
        for name in figures_shown(of)
    ]


def _kind(of: Table, figure: str) -> str:
    return "number compared" if figure == of.value else "number"


def figures_shown(of: Table) -> list[str]:
    """The figures, the one compared before the others."""
    return [of.value, *(name for name in of.figures if name != of.value)]


def _row(of: Table, row: Row, out: Path) -> dict[str, Any]:
    alone = len(row.members) == 1
    links = [
        {"name": m.name, "text": m.name if alone else f"seed {m.config['seed']}", "href": _link(m, out)}
        for m in row.members
    ]
    plain = [len(row.members), *row.settings.values()]
    cells = [
        {"text": show(v), "sort": "" if v is None else v, "kind": "number" if _is_number(v) else ""}
        for v in plain
    ]
    for name in figures_shown(of):
        figure = row.figures.get(name)
        sort = figure.mean if figure else ""
        cells.append({"text": shown(figure, name), "sort": sort, "kind": _kind(of, name)})
    return {"name": row.members[0].name, "common": _common(row), "links": links, "cells": cells}


def _common(row: Row) -> str:
    """What the names of members have in common but for their seeds."""
    names = {re.sub(r"[,/]?seed[=_]\d+", "", member.name).strip(",/") for member in row.members}
    return names.pop() if len(names) == 1 and len(row.members) > 1 else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _link(member: RunRecord, out: Path) -> str:
    return quote(os.path.relpath(member.report, out))


def shown(figure: Statistic | None, name: str) -> str:
    """`104.046 ± 14.027`; what counts things is whole where it can be."""
    if figure is None:
        return "–"
    whole = figure.mean.is_integer() and metric(name).is_count
    mean = number(int(figure.mean) if whole else figure.mean)
    return mean if figure.std is None else f"{mean} ± {figure.std:,.3f}"
