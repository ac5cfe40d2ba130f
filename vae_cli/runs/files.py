"""Reads and writes the files of a run folder, which may be a stranger's.

Only regular files are opened, and no link is followed that leads out of the folder: a FIFO would block the reader, and a
link could make it read or overwrite any other file.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

LARGEST = 64 * 2**20  # bytes of a text file that is read as a whole


def open_to_read(path: Path, folder: Path | None = None) -> BinaryIO:
    """The regular file `path`. Raises OSError for anything else, and for a link that leads out of `folder`, or out of the
    file's own folder."""
    real = _real(path)
    if not real.is_relative_to(_real(folder or path.parent)):
        raise OSError(errno.EPERM, "a link that leads out of its folder is not followed", str(path))
    return open(_descriptor(real, os.O_RDONLY, path), "rb")


def open_to_write(path: Path) -> BinaryIO:
    """The regular file `path` for reading and writing, created if there is none. Its end is kept. Raises OSError for
    anything else, links included."""
    return open(_descriptor(path, os.O_RDWR | os.O_CREAT, path), "r+b")


def _descriptor(path: Path, flags: int, shown: Path) -> int:
    """`O_NONBLOCK`, because opening a FIFO waits for its other end."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            error.strerror = "a link is not followed"
        error.filename = str(shown)
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no regular file", str(shown))
    return descriptor


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError as error:  # links in a circle
        raise OSError(errno.ELOOP, "links in a circle", str(path)) from error


def is_there(path: Path) -> bool:
    """Whether there is anything by this name, a link to nothing included."""
    return path.exists() or path.is_symlink()


def user_path(text: str | Path) -> Path:
    """The path that a user has named. `~nobody/x` stays as it is, as in a shell; Path.expanduser raises RuntimeError."""
    return Path(os.path.expanduser(text))  # noqa: PTH111


def read_bytes(path: Path, folder: Path | None = None, largest: int = LARGEST) -> bytes:
    """The content of a regular file. Raises OSError as `open_to_read` does, and for more than `largest` bytes."""
    with open_to_read(path, folder) as file:
        if (size := os.fstat(file.fileno()).st_size) > largest:
            raise OSError(
                errno.EFBIG, f"{size:,} bytes are more than the {largest:,} that are read", str(path)
            )
        return file.read(size)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the content of the file `path`. A reader sees the whole old content or the whole new content, even after
    a crash or on a full disk. A link at `path` is replaced, not followed."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with open_to_write(partial) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:  # a signal may raise KeyboardInterrupt
        if not partial.is_dir():
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # the error of a full disk does not name the file
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(folder: Path) -> None:
    """Wait until everything in the folder is on the disk."""
    for where, _, files in os.walk(folder):
        for path in (Path(where), *(Path(where) / name for name in files)):
            if path.is_dir() or path.is_file():
                sync(path)


def unusual_entries(folder: Path, files: Iterable[str], folders: Iterable[str]) -> Iterator[str]:
    """What a run does not write, among the entries of `folder` with these names and what is in them: links that lead out
    of the folder, FIFOs, sockets and devices, folders in place of files and files in place of folders. Each as a phrase
    that names it."""
    for path in (folder / name for name in files):
        if path.is_dir():
            yield f"{path} is a folder, not a file"
        yield from _unusual(path, folder)
    for path in (folder / name for name in folders):
        if path.exists() and not path.is_dir():
            yield f"{path} is no folder"
        for inner in _with_content(path):
            yield from _unusual(inner, folder)


def _unusual(path: Path, folder: Path) -> Iterator[str]:
    try:
        mode = path.lstat().st_mode
    except OSError:  # it is not there; what is wrong with the folder that it is in is said of the folder
        return
    if stat.S_ISLNK(mode) and not _leads_into(path, folder):
        yield f"{path} is a link that leads out of the folder"
    elif not (stat.S_ISLNK(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        yield f"{path} is neither a file nor a folder"


def _leads_into(link: Path, folder: Path) -> bool:
    try:
        return _real(link).is_relative_to(_real(folder))
    except OSError:  # links in a circle lead nowhere
        return False


def _with_content(path: Path) -> Iterator[Path]:
    yield path
    for where, folders, files in os.walk(path):  # follows no link
        yield from (Path(where) / name for name in (*folders, *files))
