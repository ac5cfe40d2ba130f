"""The folder that vae-eval or vae-compare writes: made beside its place and put there as a whole, once it is complete.

Of an earlier folder only the files that the command wrote are replaced. Everything else in it is kept.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from vae_cli.errors import UserError
from vae_cli.runs.documents import read_json_object, write_json
from vae_cli.runs.files import sync, sync_all
from vae_cli.runs.interrupts import signals_may_raise, signals_wait

WRITTEN = "written"  # the key of a manifest that lists the names of all files, its own included
LOCK, NEW, OLD = ".lock", "new", "old"  # in the folder for files that are not complete


class OutputFolder(NamedTuple):
    """`manifest` is the JSON file that says what was written; a file of that name is one if it has the key `key`. `files`
    are the names of all files that the command may write: a manifest without a list, which an earlier version wrote,
    stands for these."""

    path: Path
    manifest: str
    key: str
    files: frozenset[str]

    def refuse(self) -> None:
        """Raise UserError where something in the folder is in the way that the command did not write."""
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise UserError(f"{self.path} is a link or a file, and no folder: move it away")
        if in_the_way := [entry.name for entry in self.foreign() if entry.name in self.files]:
            names = ", ".join(in_the_way)
            raise UserError(
                f"{self.path} has files that were not written by this command: {names}; move them away"
            )

    def is_written(self) -> bool:
        """Whether the folder holds an earlier result of the command."""
        return self._written(self.path) is not None

    def foreign(self) -> list[Path]:
        """What somebody else put into the folder."""
        return self._foreign(self.path)

    @contextmanager
    def replaced(self) -> Iterator[Path]:
        """Yield a new folder to write to, which takes the place of the old one afterwards, together with what is foreign
        in the old one. If an exception ends this, the old one stays as it is.

        Raises UserError where another process writes this folder. What a killed process left is removed."""
        with signals_wait(), self._work_folder() as work:
            new = work / NEW
            new.mkdir()
            with signals_may_raise():
                yield new
            self.refuse()
            sync_all(new)  # a power cut must not leave the new names with no content
            if self.path.exists():
                self.path.rename(work / OLD)
            new.rename(self.path)
        sync(self.path.parent)

    def write_manifest(self, folder: Path, content: Mapping[str, Any]) -> None:
        """Write `content` as the last file of a new folder, with the list of all files."""
        names = sorted({*(entry.name for entry in folder.iterdir()), self.manifest})
        write_json(folder / self.manifest, {**content, WRITTEN: names})

    def _foreign(self, folder: Path) -> list[Path]:
        ours = self._written(folder) or frozenset()
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
        return [entry for entry in entries if entry.name not in ours or not entry.is_file()]

    def _written(self, folder: Path) -> frozenset[str] | None:
        """The names of the files that the command wrote into `folder`; None if none of its manifests is there."""
        try:
            manifest = read_json_object(folder / self.manifest)
        except (OSError, ValueError, RecursionError):
            return None
        if self.key not in manifest:
            return None
        listed = manifest.get(WRITTEN)
        return frozenset(map(str, listed)) if isinstance(listed, list) else self.files

    @contextmanager
    def _work_folder(self) -> Iterator[Path]:
        """A folder beside this one for files that are not complete, locked for this process."""
        work = self.path.with_name(f".{self.path.name}-partial")
        lock = self._lock(work)
        try:
            self._clear(work)
            yield work
        finally:
            self._clear(work)
            (work / LOCK).unlink()
            os.close(lock)
            with suppress(OSError):  # another process may be the next to use it
                work.rmdir()

    def _lock(self, work: Path) -> int:
        """The descriptor of the lock file, whose lock the kernel frees if the process dies. Without effect on file systems
        that have no locks."""
        while True:
            if work.is_symlink():
                raise UserError(f"{work} is a link: remove it")
            work.mkdir(exist_ok=True)
            try:
                file = os.open(work / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
            except FileNotFoundError:  # another process has just removed the folder
                continue
            if self._is_locked(file) and _is(file, work / LOCK):
                return file
            os.close(file)  # of a process that has just removed it

    def _is_locked(self, file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise UserError(f"{self.path} is being written by another process") from None
        except OSError:  # the file system has no locks
            pass
        return True

    def _clear(self, work: Path) -> None:
        """Remove everything but the lock file. The old folder goes back if the new one is not in its place; else what is
        foreign in the old one goes into the new one."""
        old = work / OLD
        if old.is_dir() and not old.is_symlink():
            if not os.path.lexists(self.path):
                old.rename(self.path)
            for entry in self._foreign(old):
                entry.rename(self.path / entry.name)
        for entry in work.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != LOCK:
                entry.unlink()


def _is(file: int, path: Path) -> bool:
    """Whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False
