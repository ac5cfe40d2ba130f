"""The aligned table that all commands print."""

import shutil
import sys
from collections.abc import Sequence
from unicodedata import combining, east_asian_width

from vae_cli.errors import printable

INDENT = GAP = "  "


def aligned(
    rows: Sequence[Sequence[str]], alignment: str, header: Sequence[str] = (), rest: str | None = None
) -> list[str]:
    """The lines of a table whose columns are as wide as their widest cell.

    `alignment` has "<" or ">" for each column. Control characters in cells are spelled out. With `rest`, columns beyond the width of the terminal are left out,
    and a last line says how many there are and that they are in `rest`.
    """
    every = [[printable(cell) for cell in row] for row in ([header, *rows] if header else rows)]
    widths = [max(map(width, column)) for column in zip(*every, strict=True)]
    shown = len(widths) if rest is None else columns_that_fit(widths, terminal_width())
    lines = [_line(row[:shown], widths, alignment) for row in every]
    hidden = len(widths) - shown
    return lines + ([f"{INDENT}and {hidden} more columns in {rest}"] if hidden else [])


def width(text: str) -> int:
    """The columns of a terminal that a text takes: two for an East Asian letter or an emoji, none for an accent that
    combines with the letter before it."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(letter) else 1 + (east_asian_width(letter) in "WF") for letter in text)


def columns_that_fit(widths: Sequence[int], available: int | None) -> int:
    """How many of the first columns a terminal has room for, at least one; all where `available` is None."""
    if available is None:
        return len(widths)
    used = [sum(widths[:n]) + len(INDENT) + (n - 1) * len(GAP) for n in range(1, len(widths) + 1)]
    return max(1, sum(total <= available for total in used))


def terminal_width() -> int | None:
    """None where stdout is a file or a pipe, which takes lines of any length."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _line(cells: Sequence[str], widths: Sequence[int], alignment: str) -> str:
    padded = []
    for cell, widest, side in zip(cells, widths, alignment, strict=False):
        space = " " * (widest - width(cell))
        padded.append(cell + space if side == "<" else space + cell)
    return (INDENT + GAP.join(padded)).rstrip()
