"""Whether a message says which word of a command line is wrong."""

import re
from collections.abc import Iterator

from integration.fuzz.grammar import Line, Word

from vae_cli.errors import printable

MISSING = ("folders=", "run must be given")  # what a message may name where no word does
LONG = {
    "-cd": "--config-dir",
    "-cn": "--config-name",
    "-cp": "--config-path",
    "-c": "--cfg",
    "-i": "--info",
    "-p": "--package",
}
EMPTY = re.compile(r"'\s*'|\"\"|empty")


def named(line: Line, message: str) -> bool:
    """Whether the message names a key, or the text, of a word; base words count where no other is there, or where a preset
    brings parts that lack their keys."""
    has_preset = any(word.text.startswith("experiment=") for word in line.words)
    changed = line.words if has_preset else [word for word in line.words if not word.base] or line.words
    if any(word.text in message for word in line.words if "=" in word.text):
        return True
    if any(not word.text.strip() for word in changed) and EMPTY.search(message):
        return True
    return any(piece in message for piece in MISSING) or any(
        re.search(rf"(?<!\w){re.escape(piece)}", message)
        for word in changed
        for piece in pieces_of(word)
        if piece
    )


def pieces_of(word: Word) -> Iterator[str]:
    """What a message may quote of a word: its key, a part of it, its value, or a beginning."""
    key, _, value = word.text.partition("=")
    key = key.strip().lstrip("+~")
    for part in (key, key.rpartition(".")[2], key.partition(".")[0], key.partition("@")[0]):
        yield part if len(part) > 2 else f"{part}="
        yield f"'{part}'"
    yield LONG.get(word.text, "")
    yield from (f"'{value}'", word.text) if value or word.text.startswith("-") else ()
    for text in (value, value.strip("'\"[]{}$ ").partition(",")[0], word.text):
        if len(text) > 1:
            yield from (text, printable(text)[:20], repr(text)[1:-1][:20])
