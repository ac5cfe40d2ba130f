"""The aligned table that all commands print."""

import shutil
import sys
from collections.abc import Sequence

INDENT = GAP = "  "


def aligned(
    rows: Sequence[Sequence[str]], alignment: str, header: Sequence[str] = (), rest: str | None = None
) -> list[str]:
    """The lines of a table whose columns are as wide as their widest cell.

    `alignment` has "<" or ">" for each column. With `rest`, columns beyond the width of the terminal are left out,
    and a last line says how many there are and that they are in `rest`.
    """
    every = [header, *rows] if header else list(rows)
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    shown = len(widths) if rest is None else columns_that_fit(widths, terminal_width())
    lines = [_line(row[:shown], widths, alignment) for row in every]
    hidden = len(widths) - shown
    return lines + ([f"{INDENT}and {hidden} more columns in {rest}"] if hidden else [])


def columns_that_fit(widths: Sequence[int], available: int | None) -> int:
    """How many of the first columns a terminal has room for, at least one; all where `available` is None."""
    if available is None:
        return len(widths)
    used = [sum(widths[:n]) + len(INDENT) + (n - 1) * len(GAP) for n in range(1, len(widths) + 1)]
    return max(1, sum(width <= available for width in used))


def terminal_width() -> int | None:
    """None where stdout is a file or a pipe, which takes lines of any length."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _line(cells: Sequence[str], widths: Sequence[int], alignment: str) -> str:
    padded = (f"{cell:{side}{width}}" for cell, width, side in zip(cells, widths, alignment, strict=False))
    return (INDENT + GAP.join(padded)).rstrip()
