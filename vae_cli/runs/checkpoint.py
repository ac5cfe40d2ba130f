"""A training state on disk: written atomically, read without executing anything."""

import io
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_cli.config.diff import differences
from vae_cli.errors import UserError

FORMAT = "vae-cli checkpoint 2"


def write_atomically(path: Path, content: bytes) -> None:
    """Readers see the old file or the new one, whole, whatever happens meanwhile (a full disk included)."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        error.filename = error.filename or str(path)  # a full disk does not say it
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)


def to_json(value: object, indent: int | None = None) -> str:
    """Strict JSON: what is NaN or infinite becomes null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: object) -> None:
    write_atomically(path, (to_json(value, indent=2) + "\n").encode())


def save(path: Path, state: Mapping[str, Any], config: dict[str, Any]) -> None:
    """`state` holds tensors, numbers, strings, lists and dictionaries of these, nothing else. A view is written
    without the rest of its storage, which is that of other members."""
    import torch  # here and in load: vae-compare writes its JSON without it

    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "config": config, **_whole(state)}, buffer)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, buffer.getvalue())


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    is_part = hasattr(value, "untyped_storage") and value.untyped_storage().nbytes() > value.nbytes
    return value.clone() if is_part else value


def load(path: Path, config: dict[str, Any] | None = None) -> dict[str, Any]:
    """The state, on the CPU. RunRefused: a file that is missing, truncated or foreign, and one whose configuration
    differs from `config` in more than `epochs` (the differences are listed)."""
    if not path.exists():
        raise UserError(f"{path} does not exist: the run has no checkpoint yet; start it anew")
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a corrupt file can raise almost anything in torch's reader
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path} is truncated, corrupt or no checkpoint of vae-train: {reason}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path} is no checkpoint of this version of vae-train (wanted: {FORMAT!r})")
    if config is not None and (found := differences(state["config"], config)):
        raise UserError(f"{path} belongs to another configuration: {'; '.join(found)}")
    return state
