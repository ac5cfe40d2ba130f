"""metrics.jsonl of a run folder: each line is a JSON object with the `step`, `epoch` and `split` that it describes.

A process that dies may leave an incomplete last line. Imports no torch.
"""

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vae_cli.runs.documents import to_json
from vae_cli.runs.files import open_to_read, write_atomically

TAIL = 8192  # bytes at the end of the file that `latest` reads
LONGEST = 2**24  # bytes of a line; one lists a number for each unit of a code


class MetricsLog:
    """Appends lines to the file. A run that is resumed at `step` first removes the lines of later steps, because it
    will log them again. `mark` is what `mark()` was at that step: it tells whether the earlier lines are as they were."""

    def __init__(self, file: Path, step: int, mark: str | None = None) -> None:
        self.is_changed = mark is not None and not _begins_as(file, mark)
        content, self.damaged = truncate(file, step)
        self._bytes, self._crc = len(content), zlib.crc32(content)
        self._file = file.open("a", buffering=1)  # each line is written at once

    def append(self, line: Mapping[str, Any]) -> None:
        text = to_json(line) + "\n"
        self._bytes, self._crc = self._bytes + len(text), zlib.crc32(text.encode(), self._crc)
        self._file.write(text)

    def mark(self) -> str:
        """The size and the checksum of what has been logged."""
        return f"{self._bytes} {self._crc:08x}"

    def sync(self) -> None:
        """Wait until all lines are on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _begins_as(file: Path, mark: str) -> bool:
    size, _, crc = mark.partition(" ")
    if not size.isdecimal():
        return False
    try:
        with open_to_read(file) as opened:
            content = opened.read(int(size))
    except OSError:
        content = b""
    return f"{len(content)} {zlib.crc32(content):08x}" == f"{int(size)} {crc}"


def truncate(file: Path, step: int) -> tuple[bytes, int]:
    """Keep the lines up to `step`, except those of the test, which the resumed run repeats. Remove lines that are damaged
    or incomplete. Returns the content, and how many lines were damaged, without the last line, which a process that died
    may have left incomplete."""
    lines = list(_lines(file)) if step else []
    objects = [_object(line) for line in lines]
    kept = b"".join(
        line.rstrip(b"\n") + b"\n"
        for line, logged in zip(lines, objects, strict=True)
        if logged and logged["step"] <= step and logged["split"] != "test"
    )
    write_atomically(file, kept)
    return kept, sum(logged is None for logged in objects[:-1])


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


def series(file: Path, split: str, name: str) -> dict[int, float]:
    """Step → the value of a metric, where it is finite; the last one of a step that was logged twice."""
    lines = [line for line in _objects(file, f'"{name}"') if line.get("split") == split]
    return {
        int(line["step"]): value for line in lines if (value := finite_number(line.get(name))) is not None
    }


def latest(file: Path) -> tuple[float, float | None] | None:
    """The epoch of the last line, and the last elbo. Only the last kilobytes of the file are read."""
    try:
        with open_to_read(file) as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - TAIL))
            lines = [_object(line) for line in opened.read().splitlines()[1:]]
    except OSError:  # no file yet
        return None
    if not lines or not lines[-1]:  # a line that is being written
        return None
    elbos = [number for line in lines if line and (number := finite_number(line.get("elbo"))) is not None]
    return lines[-1]["epoch"], elbos[-1] if elbos else None


def finite_number(value: object) -> float | None:
    """`value` where it is a number that is neither NaN nor infinite, nor a whole number beyond all floating ones."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def _objects(file: Path, word: str) -> Iterator[dict[str, Any]]:
    """The objects of the lines that contain `word`. Parsing all lines would be slow, since most describe single
    steps."""
    for line in _lines(file):
        if word.encode() in line and (logged := _object(line)):
            yield logged


def _lines(file: Path) -> Iterator[bytes]:
    """The lines of the file; none if there is no such regular file. A line that is too long to be one of ours ends them."""
    try:
        with open_to_read(file) as opened:
            while line := opened.readline(LONGEST):
                yield line
                if len(line) == LONGEST:
                    return
    except OSError:
        return


def _object(line: bytes) -> dict[str, Any] | None:
    """What a line says; None for one that is damaged or incomplete."""
    try:
        logged = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(logged, dict) or not isinstance(logged.get("split"), str):
        return None
    numbers = (finite_number(logged.get(key)) for key in ("step", "epoch"))
    return None if None in numbers else logged
