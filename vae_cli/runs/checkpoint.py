"""Saves and loads a training state. Saving is atomic, and loading executes no code from the file."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_cli.config.diff import differences
from vae_cli.errors import UserError
from vae_cli.runs.files import write_atomically

FORMAT = "vae-cli checkpoint 2"


def save(path: Path, state: Mapping[str, Any], config: dict[str, Any]) -> None:
    """Write `state`, which consists of tensors, numbers, strings, and lists and dictionaries of these.

    A tensor that is a view is copied first, because torch would write its whole storage. In a packed sweep the storage
    also holds the tensors of other members.
    """
    import torch  # here and in load, because vae-compare imports this room without torch

    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "config": config, **_without_shared_storage(state)}, buffer)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, buffer.getvalue())


def _without_shared_storage(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_shared_storage(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_shared_storage(item) for item in value]
    is_view = hasattr(value, "untyped_storage") and value.untyped_storage().nbytes() > value.nbytes
    return value.clone() if is_view else value


def load(path: Path, config: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read a state onto the CPU.

    Raises UserError for a file that is missing, truncated or no checkpoint, and for a checkpoint whose configuration
    differs from `config` in a key that a resumed run may not change.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist: the run has no checkpoint yet; start it anew")
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader raises errors of many types for a corrupt file
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{path} is truncated, corrupt or no checkpoint of vae-train: {reason}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path} is no checkpoint of this version of vae-train (wanted: {FORMAT!r})")
    if config is not None and (found := differences(state["config"], config)):
        raise UserError(f"{path} belongs to another configuration: {'; '.join(found)}")
    return state
