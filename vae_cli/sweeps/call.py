"""One call of a sweep: its registry, in which the job of each member notes what becomes of the member.

What the members are, and how each has ended, is known from there alone: members may be in any folder, on any machine and
under any clock. The registry is a folder `<sweep>/.sweep/<id>/` with a file `<number>.json` for each member that has begun.
"""

import os
import platform
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vae_cli.errors import RunLocked
from vae_cli.runs.documents import read_json_object, write_json
from vae_cli.runs.files import read_bytes, write_atomically
from vae_cli.runs.lock import is_held, locked
from vae_cli.runs.occupied import remove_empty

REGISTRIES = ".sweep"
HYDRAS_FILE = "multirun.yaml"  # the configuration of the sweep, which Hydra writes to its folder
RUNNING, REFUSED, NOT_STARTED = "running", "refused", "not started"  # beside the statuses of summary.json
CURRENT: list["SweepCall"] = []  # the call whose members this process trains


class Entry(NamedTuple):
    """What the job of a member has noted."""

    number: int  # Hydra's number of the job
    folder: str
    status: str  # a status of summary.json, or one of those above
    pid: int  # of the process that trains the member
    host: str
    error: str | None = None
    before: bool = False  # whether it had finished before this call
    settings: Mapping[str, Any] = {}  # where the folder does not have them

    @property
    def process(self) -> str:
        return f"pid {self.pid} on {self.host}"

    def is_alive(self) -> bool:
        """Whether the process that trains the member exists, as far as this host can tell."""
        if self.host != platform.node():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # the process of another user
        return True


@dataclass(frozen=True)
class SweepCall:
    """`sweep` is the folder of the sweep, `pid` the process that the user started. Launchers pass a copy to the processes
    in which they train members."""

    sweep: Path
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    pid: int = field(default_factory=os.getpid)
    own: dict[int, Entry] = field(default_factory=dict)  # of this process: a full disk takes no entries

    @property
    def folder(self) -> Path:
        return self.sweep / REGISTRIES / self.id

    @contextmanager
    def begun(self) -> Iterator[None]:
        """The registry exists. It is removed at the end, unless there are jobs that may still write to it; then the next
        call of the sweep removes it."""
        is_new = not self.sweep.exists()
        self._remove_those_of_earlier_calls()
        with locked(self.folder):
            yield
            ended = {entry.status for entry in self.entries()}
        if RUNNING not in ended:
            self._remove(self.folder)
        if is_new and ended <= {REFUSED, NOT_STARTED}:
            self._remove_sweep()

    def _remove_sweep(self) -> None:
        """A sweep of which all members were refused leaves nothing."""
        with suppress(OSError):
            if [file.name for file in self.sweep.iterdir()] == [HYDRAS_FILE]:
                (self.sweep / HYDRAS_FILE).unlink()
        remove_empty(self.sweep)

    def _remove_those_of_earlier_calls(self) -> None:
        registries = self.sweep / REGISTRIES
        for earlier in sorted(registries.iterdir()) if registries.is_dir() else ():
            if not is_held(earlier):
                with suppress(RunLocked, OSError), locked(earlier):
                    self._remove(earlier)

    def _remove(self, registry: Path) -> None:
        shutil.rmtree(registry, ignore_errors=True)
        with suppress(OSError):  # other calls are in it
            (self.sweep / REGISTRIES).rmdir()

    def note(self, entry: Entry) -> None:
        """Write an entry. Raises OSError where it cannot be written, for example on a full disk."""
        self.own[entry.number] = entry
        with suppress(FileNotFoundError):  # the call has ended, and nobody reads it
            write_json(self.folder / f"{entry.number}.json", entry._asdict())

    def entries(self) -> list[Entry]:
        """What the members have noted so far, by their numbers."""
        found = {}
        with suppress(OSError):
            for file in self.folder.glob("*.json"):
                with suppress(OSError, ValueError, TypeError):  # a damaged entry counts as none
                    entry = Entry(**read_json_object(file))
                    found[entry.number] = entry
        return [entry for _, entry in sorted((found | self.own).items())]

    def name(self, entry: Entry) -> str:
        """The name of a member: its folder, relative to the folder of the sweep or to that of all sweeps."""
        folder = Path(entry.folder)
        for parent in (self.sweep, self.sweep.parent):
            if folder.is_relative_to(parent) and folder != parent:
                return str(folder.relative_to(parent))
        return str(folder)

    @property
    def _stop_note(self) -> Path:
        return self.folder / "stop"

    def stop(self, reason: str) -> None:
        """Let no further member start."""
        with suppress(FileNotFoundError):
            write_atomically(self._stop_note, reason.encode())

    def stop_reason(self) -> str | None:
        try:
            return read_bytes(self._stop_note).decode(errors="replace")
        except OSError:
            return None
