"""The run folder: the path of everything in it, and what its files say about the run. Imports no torch.

No other module spells these paths.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_cli.errors import RunLocked, RunRefused, UserError
from vae_cli.runs import lock
from vae_cli.runs.files import read_json_object, read_yaml, write_atomically, write_json

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

FINISHED = "finished"  # a status of summary.json; the others are interrupted, diverged and failed
UNFINISHED = "unfinished"  # there is no summary.json
HYDRA = ".hydra"

Summary = dict[str, Any]


@dataclass(frozen=True)
class EvaluationFolder:
    """The folder that vae-eval writes: a temporary folder until it is complete, then a folder of the run folder."""

    path: Path

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"


@dataclass(frozen=True)
class RunFolder:
    """One run folder. `str(folder)` is its path."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def config_file(self) -> Path:
        return self.path / HYDRA / "config.yaml"

    @property
    def overrides_file(self) -> Path:
        return self.path / HYDRA / "overrides.yaml"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def log_file(self) -> Path:
        return self.path / "train.log"

    @property
    def last(self) -> Path:
        """The checkpoint from which a resumed run continues."""
        return self.checkpoint("last")

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation result."""
        return self.checkpoint("best")

    def checkpoint(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.pt"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    def figure(self, name: str) -> Path:
        return self.figures / f"{name}.png"

    @property
    def evaluation(self) -> EvaluationFolder:
        return EvaluationFolder(self.path / "evaluation")

    @property
    def refusal_note(self) -> Path:
        """The file that says why the last call of a sweep left this folder unchanged."""
        return self.path / ".refused"

    @property
    def lock_file(self) -> Path:
        return lock.lock_file(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; see `runs.lock.locked`."""
        with lock.locked(self.path):
            self.refusal_note.unlink(missing_ok=True)
            yield

    @contextmanager
    def removed_if_refused(self) -> Iterator[None]:
        """Remove the folder of a new run if a UserError ends the run before its first metrics. Also remove the folders
        above it that are then empty, up to the working directory. A folder that another process uses is kept."""
        is_new = not self.path.exists() or not any(self.path.iterdir())
        try:
            yield
        except RunRefused:
            raise
        except UserError:
            if is_new and not self.metrics_file.exists() and not lock.is_held(self.path):
                self._remove()
            raise

    def _remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # a folder that is not empty ends the loop
            for folder in self.path.absolute().parents:
                if folder.is_relative_to(Path.cwd()) and folder != Path.cwd():
                    folder.rmdir()

    def refuse(self, reason: RunRefused) -> None:
        """Note for the end of the sweep that this call leaves the folder unchanged: write the refusal note, or, where
        another process holds the folder, update the time of the lock file."""
        if isinstance(reason, RunLocked):
            os.utime(self.lock_file)
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            self.refusal_note.write_text(str(reason))

    def is_trained(self) -> bool:
        """Whether there is a checkpoint."""
        return any(self.last.parent.glob("*.pt"))

    def config(self, external_targets: bool = False) -> "RunConfig":
        """The checked configuration of the run. `external_targets` allows parts from outside this package."""
        # imported here, because a comparison reads folders without Hydra
        from vae_cli.config.compose import accept, saved_config

        return accept(saved_config(self.config_file), external_targets)

    def overrides(self) -> list[str]:
        """The overrides that were typed for this run."""
        found = read_yaml(self.overrides_file) if self.overrides_file.exists() else None
        return [str(override) for override in found or []]

    def refuse_other_configuration(self, config: Mapping[str, Any]) -> None:
        """Raise RunRefused where the folder holds a trained run of another configuration than `config`."""
        from vae_cli.config.compose import plain, saved_config
        from vae_cli.config.diff import differences

        recorded = self.is_trained() and self.config_file.exists()
        if recorded and (found := differences(plain(saved_config(self.config_file)), config)):
            raise RunRefused(f"{self} holds a run of another configuration: {'; '.join(found)}")

    def record(self, **files: str) -> None:
        """Write .hydra/NAME.yaml for each NAME=TEXT. Hydra itself would write these files too early, before a run can
        be refused."""
        self.config_file.parent.mkdir(exist_ok=True)
        for name, text in files.items():
            write_atomically(self.path / HYDRA / f"{name}.yaml", text.encode())

    def read_summary(self) -> Summary | None:
        """The content of summary.json; None without the file. Raises OSError or ValueError where it cannot be read."""
        return read_json_object(self.summary_file) if self.summary_file.exists() else None

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        write_json(self.summary_file, summary)

    def status(self) -> str:
        """How the run ended: the status of summary.json, "unfinished" without one, else "unreadable"."""
        try:
            summary = self.read_summary()
            return UNFINISHED if summary is None else str(summary["status"])
        except (OSError, ValueError, KeyError):
            return "unreadable"

    def finished(self, epochs: int) -> Summary | None:
        """The summary of a run that has finished all of its `epochs`, or has stopped early; else None."""
        if self.status() != FINISHED:
            return None
        summary = read_json_object(self.summary_file)
        return summary if summary["epochs"] >= epochs or summary.get("stopped_early", False) else None
