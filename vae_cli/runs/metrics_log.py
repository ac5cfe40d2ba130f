"""metrics.jsonl of a run folder: each line is a JSON object with the `step`, `epoch` and `split` that it describes.

A process that dies may leave an incomplete last line. Imports no torch.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vae_cli.runs.files import to_json, write_atomically

TAIL = 8192  # bytes at the end of the file that `latest` reads


class MetricsLog:
    """Appends lines to the file. A run that is resumed at `step` first removes the lines of later steps, because it
    will log them again."""

    def __init__(self, file: Path, step: int) -> None:
        truncate(file, step)
        self._file = file.open("a", buffering=1)  # each line is written at once

    def append(self, line: Mapping[str, Any]) -> None:
        self._file.write(to_json(line) + "\n")

    def close(self) -> None:
        self._file.close()


def truncate(file: Path, step: int) -> None:
    """Keep the lines up to `step`, except those of the test, which the resumed run repeats. Remove an incomplete
    line."""
    kept = []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            logged = json.loads(line)
        except json.JSONDecodeError:
            break
        if step and logged["step"] <= step and logged["split"] != "test":
            kept.append(line + "\n")
    write_atomically(file, "".join(kept).encode())


def read(file: Path) -> list[dict[str, Any]]:
    """All complete lines; none if there is no file."""
    return list(_objects(file, ""))


def curve(file: Path, points: int = 200) -> tuple[str, list[tuple[float, float]]]:
    """The split ("validation" or "train") and its points [(epoch, elbo)]: about `points` of them at most, evenly
    spaced, the last one included."""
    for split, name in (("validation", "elbo"), ("train", "epoch_elbo")):
        lines = [line for line in _objects(file, f'"{name}"') if line.get("split") == split]
        pairs = [(finite_number(line.get("epoch")), finite_number(line.get(name))) for line in lines]
        found = [(epoch, elbo) for epoch, elbo in pairs if epoch is not None and elbo is not None]
        if found:
            break
    stride = -(-len(found) // points) or 1
    return split, found[::-stride][::-1]


def latest(file: Path) -> tuple[float, float | None] | None:
    """The epoch of the last line, and the last elbo. Only the last kilobytes of the file are read."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - TAIL))
            lines = [json.loads(line) for line in opened.read().splitlines()[1:]]
    except (OSError, ValueError):  # no file yet, or a line that is being written
        return None
    elbos = [line["elbo"] for line in lines if "elbo" in line]
    return (lines[-1]["epoch"], elbos[-1] if elbos else None) if lines else None


def finite_number(value: object) -> float | None:
    """`value` where it is a number that is neither NaN nor infinite."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return None


def _objects(file: Path, word: str) -> Iterator[dict[str, Any]]:
    """The objects of the lines that contain `word`. Parsing all lines would be slow, since most describe single
    steps."""
    if not file.exists():
        return
    with file.open(encoding="utf-8", errors="replace") as opened:
        for line in opened:
            if word not in line:
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(value, dict):
                yield value
