"""Saves and loads a training state. Saving is atomic, and loading executes no code from the file.

A checkpoint is torch's zip archive with a checksum of the whole file in the comment of the archive. torch itself does not
check what it reads: it loads an archive with damaged numbers without an error.
"""

import io
import os
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vae_cli.config.diff import differences
from vae_cli.errors import UserError
from vae_cli.runs.documents import checksum
from vae_cli.runs.files import is_there, open_to_read, read_bytes, write_atomically

FORMAT = "vae-cli checkpoint 2"
COMMENT = b"vae-cli crc32 "  # then eight digits
TAIL = len(COMMENT) + 8
END = 22  # bytes of an archive's last record, whose last two are the length of the comment
NO_COMMENT = b"\0\0"
ALTERNATIVES = {
    "best": "{other} is whole: checkpoint=last reads it",
    "last": "{other} is whole: vae-eval reads it, but only last.pt can be resumed",
}


def save(path: Path, state: Mapping[str, Any], config: dict[str, Any]) -> None:
    """Write `state`, which consists of tensors, numbers, strings, and lists and dictionaries of these.

    A tensor that is a view is copied first, because torch would write its whole storage. In a packed sweep the storage
    also holds the tensors of other members.
    """
    import torch  # here and in load, because vae-compare imports this room without torch

    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "config": config, **_without_shared_storage(state)}, buffer)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, _with_checksum(buffer.getvalue()))


def _with_checksum(archive: bytes) -> bytes:
    """The archive with a comment: the checksum of everything before the comment."""
    commented = archive[: -len(NO_COMMENT)] + TAIL.to_bytes(2, "little")
    return commented + COMMENT + checksum(commented).encode()


def _without_shared_storage(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_shared_storage(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_shared_storage(item) for item in value]
    is_view = hasattr(value, "untyped_storage") and value.untyped_storage().nbytes() > value.nbytes
    return value.clone() if is_view else value


def load(path: Path, config: dict[str, Any] | None = None, advice: str | None = None) -> dict[str, Any]:
    """Read a state onto the CPU. `advice` ends the message of a damaged one; None: what the other checkpoint is good for.

    Raises UserError for a file that is missing, damaged or no checkpoint, and for a checkpoint whose configuration differs
    from `config` in a key that a resumed run may not change.
    """
    if not is_there(path):
        raise UserError(f"{path} does not exist: the run has no checkpoint yet; start it anew")
    try:
        content = _undamaged(path)
    except (OSError, ValueError) as error:
        what = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else f"is damaged: {error}"
        raise UserError(f"{path} {what}{_alternative(path) if advice is None else advice}") from error
    state = _unpacked(content, path)
    if config is not None and (found := differences(state["config"], config)):
        raise UserError(f"{path} belongs to another configuration: {'; '.join(found)}")
    return state


def identity(path: Path) -> str | None:
    """The checksum that the file names, for comparing checkpoints without reading them; None for a file without one."""
    with open_to_read(path, path.parents[1]) as file:
        file.seek(-min(TAIL, os.fstat(file.fileno()).st_size), os.SEEK_END)
        tail = file.read()
    return tail.removeprefix(COMMENT).decode("ascii", "replace") if tail.startswith(COMMENT) else None


def checksums(files: Iterable[Path], checkpoints: Iterable[Path], folder: Path) -> dict[str, str]:
    """Path in the folder → checksum, for the files that can be read. A checkpoint names its own one."""
    found = {}
    for file in files:
        with suppress(OSError):
            found[str(file.relative_to(folder))] = checksum(read_bytes(file, folder, largest=2**30))
    for file in checkpoints:
        with suppress(OSError):
            if named := identity(file):
                found[str(file.relative_to(folder))] = named
    return found


def is_whole(path: Path) -> bool:
    """Whether the file is a checkpoint as it was written."""
    try:
        return bool(_undamaged(path))
    except (OSError, ValueError):
        return False


def _undamaged(path: Path) -> bytes:
    """The content of a checkpoint. Raises ValueError for one that is not as it was written, OSError where it cannot be
    read."""
    content = read_bytes(
        path, path.parents[1], largest=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    )
    if content[-TAIL:].startswith(COMMENT):
        if content[-8:] != checksum(memoryview(content)[:-TAIL]).encode():
            raise ValueError("its content does not match its checksum")
        _check_archive(content, each_entry=False)
    elif content[-END:].startswith(b"PK\5\6") and content.endswith(
        NO_COMMENT
    ):  # written by an earlier version
        _check_archive(content, each_entry=True)
    else:
        raise ValueError("it is truncated, or no checkpoint of vae-train")
    return content


def _check_archive(content: bytes, each_entry: bool) -> None:
    """Raises ValueError for a compressed archive, which may need any amount of memory, and with `each_entry` where an
    entry does not match its own checksum."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("it is compressed, which no checkpoint is")
            damaged = archive.testzip() if each_entry else None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ValueError("it is no archive of torch") from error
    if damaged:
        raise ValueError(f"{damaged} in it does not match its checksum")


def _unpacked(content: bytes, path: Path) -> dict[str, Any]:
    import torch

    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader raises errors of many types
        reason = " ".join(str(error).split())[:100]
        if reason.startswith("Weights only"):
            reason = "it holds Python objects, which are not loaded"
        raise UserError(f"{path} is no checkpoint of vae-train: {reason}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path} is no checkpoint of this version of vae-train (wanted: {FORMAT!r})")
    kinds = {"config": dict, "model": dict, "objective": dict, "data": dict, "step": int}
    for key, kind in kinds.items():
        if not isinstance(state.get(key), kind):
            raise UserError(f"{path} is no checkpoint of vae-train: it has no {key}")
    return state


def _alternative(path: Path) -> str:
    """What to say of the other checkpoint, if it is whole."""
    other = next((path.with_name(f"{name}.pt") for name in ALTERNATIVES if name != path.stem), None)
    known = path.stem in ALTERNATIVES and other is not None and is_whole(other)
    return f"; {ALTERNATIVES[path.stem].format(other=other)}" if known else ""
