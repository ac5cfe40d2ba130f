"""HTML pages from the templates beside this file, each self-contained: pictures are embedded, all text is escaped, and
control characters are spelled out."""

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jinja2

from vae_cli.reporting.text import plain


class Picture(NamedTuple):
    name: str
    caption: str
    png: str  # the file's content in base64


def embedded(pictures: Mapping[str, tuple[Path, str]]) -> list[Picture]:
    """`pictures`: name → (PNG file, caption)."""
    return [
        Picture(name, caption, base64.b64encode(file.read_bytes()).decode())
        for name, (file, caption) in pictures.items()
    ]


def render(template: str, **values: object) -> str:
    """The page that `templates/<template>` makes of `values`."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, finalize=_finalized
    )


def _finalized(value: object) -> object:
    """What a template shows of a value, before it is escaped."""
    return plain(value) if isinstance(value, str) else value


def number(value: float | int | None) -> str:
    """Three decimals; whole numbers as they are; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"
