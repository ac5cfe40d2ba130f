"""JSON and YAML files of a run folder: strict, limited in what they may cost, and with a checksum of their own."""

import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vae_cli.runs.files import read_bytes, write_atomically

PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C it reads 1,000 configurations a second
CHECKSUM, METHOD = "checksum", "crc32:"  # the last key of a JSON document, and the beginning of its value


def to_json(value: object, indent: int | None = None) -> str:
    """Strict JSON: NaN and infinite numbers become null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def checksum(content: bytes | memoryview) -> str:
    """CRC-32: it finds every damage by accident of up to 32 neighbouring bits, and all but one in 4 × 10⁹ of the others."""
    return f"{zlib.crc32(content):08x}"


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object, with the checksum of its other keys as the last one."""
    whole = {**value, CHECKSUM: _checksum(value)}
    write_atomically(path, (to_json(whole, indent=2) + "\n").encode())


def _checksum(value: Mapping[str, Any]) -> str:
    return METHOD + checksum(to_json(value, indent=2).encode())


def read_json_object(path: Path, folder: Path | None = None) -> dict[str, Any]:
    """The object in a JSON file, without its checksum. Raises OSError where the file cannot be read, and ValueError where
    it holds anything else than a JSON object, or an object with another checksum."""
    name = f"{path.parent.name}/{path.name}"
    try:
        value = json.loads(read_bytes(path, folder))
    except RecursionError as error:
        raise ValueError(f"{name} is nested too deeply") from error
    except ValueError as error:  # no JSON, or no UTF-8
        raise ValueError(f"{name} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no JSON object")
    last_key, last_value = list(value.items())[-1] if value else ("", None)
    if last_key == CHECKSUM or str(last_value).startswith(METHOD):  # earlier versions wrote none
        del value[last_key]
        if (last_key, last_value) != (CHECKSUM, _checksum(value)):
            raise ValueError(f"{name} is damaged: its content does not match its checksum")
    return value


def read_yaml(path: Path, folder: Path | None = None) -> Any:
    """The content of a YAML file. Raises OSError, or ValueError as `parse_yaml` does."""
    return parse_yaml(read_bytes(path, folder), path)


def parse_yaml(content: bytes, path: Path) -> Any:
    """Raises ValueError for a text that is no YAML or uses aliases: ten lines of them can stand for 10⁹ values. The parser
    itself limits the depth."""
    try:
        if b"*" in content and any(
            isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, PARSER)
        ):
            raise ValueError(f"{path.name} uses YAML aliases, which vae-train does not write")
        return yaml.load(content, PARSER)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path.name} is no YAML: {' '.join(str(error).split())[:120]}") from error
