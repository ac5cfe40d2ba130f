"""The option tables of configs/README.md, made from the comments in the YAML files; `make docs` writes them.

python -m vae_cli.config.tables README.md
"""

import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from vae_cli.config.yaml_comments import Key, Option, groups, read

BEGIN, END = "<!-- make docs: begin -->\n", "<!-- make docs: end -->\n"


def tables(configs: Path) -> str:
    """Markdown: a section for each group, a table for each option."""
    parts = ["### Keys of every run", "", _table("", read(configs / "config.yaml").keys)]
    for group, options in groups(configs).items():
        if group != "experiment":
            parts += ["", f"### {group}", *_sections(group, options)]
    for command, title in (("eval", "vae-eval"), ("compare", "vae-compare")):
        parts += ["", f"### Keys of {title}", "", _table("", read(configs / f"{command}.yaml").keys)]
    return "\n".join(parts) + "\n"


def with_tables(readme: str, configs: Path) -> str:
    """The README with new tables between its two markers. Raises ValueError where it has no such markers."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables(configs)}\n{END}{after}"


def _sections(group: str, options: Iterable[Option]) -> list[str]:
    parts = []
    for option in options:
        parts += ["", textwrap.fill(f"`{group}={option.name}`: {option.title}", 120)]
        if option.keys:
            parts += ["", _table(f"{group}.", option.keys)]
    return parts


def _table(prefix: str, keys: Sequence[Key]) -> str:
    cells = [(f"`{prefix}{key.key}`", f"`{key.value}`" if key.value else "", key.comment) for key in keys]
    rows = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in cells]
    return "\n".join(["| key | default | meaning |", "| --- | --- | --- |", *(f"| {row} |" for row in rows)])


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_tables(file.read_text(encoding="utf-8"), file.parent), encoding="utf-8")
