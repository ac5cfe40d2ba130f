"""The folder of a sweep: its members, and the file that stops it."""

import os
from dataclasses import dataclass
from pathlib import Path

from vae_cli.runs.folder import RunFolder


@dataclass(frozen=True)
class SweepFolder:
    path: Path

    @property
    def stop_note(self) -> Path:
        return self.path / ".stop"

    def stop(self, reason: str) -> None:
        """Let no further member start."""
        self.stop_note.write_text(reason)

    def stop_reason(self) -> str | None:
        return self.stop_note.read_text() if self.stop_note.exists() else None

    def members(self) -> list[RunFolder]:
        """Every folder in it, sorted by name."""
        if not self.path.is_dir():
            return []
        with os.scandir(self.path) as entries:
            paths = sorted(Path(entry.path) for entry in entries if entry.is_dir())
        return [RunFolder(path) for path in paths]
