"""Names and settings as plain text: no medium reads them as mathematics, markup, a formula or a control sequence.

| medium | what makes text plain |
|---|---|
| pictures | `label` for names; `plots` turns mathematics off for every text |
| pages | `html.render` escapes, and spells out control characters |
| spreadsheets | `cell` |
| terminals | `table.aligned` for tables, `vae_cli.errors.printable` for lines |
"""

import re

from vae_cli.errors import printable

LONGEST_LABEL = 60  # letters
FORMULA = tuple("=+-@＝＋－＠")  # the wide ones, too
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def plain(text: str, longest: int | None = None) -> str:
    """Lines of text with control characters, marks of direction and unpaired surrogates spelled out, and each line cut
    in the middle to `longest` letters."""
    if text.isprintable() and longest is None:  # base64 of pictures, too, is text
        return text
    return "\n".join(printable(line, longest) for line in text.split("\n"))


def label(text: str) -> str:
    """A name in a picture, on one line. A legend leaves out labels that begin with `_`: they get a space before it."""
    shown = printable(text, LONGEST_LABEL)
    return f" {shown}" if shown.startswith("_") else shown


def cell(value: object) -> object:
    """A value of a spreadsheet: numbers stay numbers, and a text that begins like a formula gets a quotation mark before
    it, as spreadsheets mark text."""
    if not isinstance(value, str):
        return value
    shown = printable(value)
    is_formula = shown.lstrip().startswith(FORMULA) and not NUMBER.fullmatch(shown)
    return f"'{shown}" if is_formula else shown
