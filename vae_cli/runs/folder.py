"""The run folder: the path of everything in it, and what its files say about the run. Imports no torch.

No other module spells these paths.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_cli.errors import RunRefused, UserError
from vae_cli.runs import lock
from vae_cli.runs.checkpoint import checksums, is_whole
from vae_cli.runs.documents import read_json_object, read_yaml, write_json
from vae_cli.runs.evaluation_folder import EvaluationFolder
from vae_cli.runs.files import is_there, unusual_entries, write_atomically
from vae_cli.runs.metrics_log import finite_number

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

FINISHED = "finished"  # a status of summary.json; the others are interrupted, diverged and failed
UNFINISHED = "unfinished"  # there is no summary.json
UNREADABLE = "unreadable"  # there is one that is damaged
HYDRA = ".hydra"
FILES = (  # that vae-train writes
    ".lock", "metrics.jsonl", "summary.json", "train.log", "checkpoints/last.pt", "checkpoints/best.pt",
    "figures/samples.png", "figures/reconstructions.png",
    *(f"{HYDRA}/{name}.yaml" for name in ("config", "hydra", "overrides")),
)  # fmt: skip
FOLDERS = (HYDRA, "checkpoints", "figures")

Summary = dict[str, Any]


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

    def event_files(self) -> set[Path]:
        """What TensorBoard reads."""
        return set(self.path.glob("events.out.*"))

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
    def lock_file(self) -> Path:
        return lock.lock_file(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; see `runs.lock.locked`. Raises RunRefused where its files are links or FIFOs."""
        for entry in unusual_entries(self.path, FILES, FOLDERS):
            raise RunRefused(f"{entry}; it is not written to")
        with lock.locked(self.path):
            yield

    def is_trained(self) -> bool:
        """Whether there is a checkpoint."""
        return any(self.last.parent.glob("*.pt"))

    def config(self, external_targets: bool = False) -> "RunConfig":
        """The checked configuration of the run. `external_targets` allows parts from outside this package."""
        # imported here, because a comparison reads folders without Hydra
        from vae_cli.config.compose import accept

        return accept(self.saved_config(), external_targets)

    def saved_config(self) -> Any:
        """What .hydra/config.yaml holds, for OmegaConf. Raises UserError where it is missing or damaged."""
        from vae_cli.config.recorded import from_saved

        if not self.config_file.exists():
            raise UserError(f"{self} is no run folder: it has no {self.config_file.relative_to(self.path)}")
        return self._read(self.config_file, lambda file, folder: from_saved(read_yaml(file, folder)))

    def overrides(self) -> list[str]:
        """The overrides that were typed for this run. Raises UserError where they cannot be read."""
        if not is_there(self.overrides_file):
            return []
        found = self._read(self.overrides_file, read_yaml) or []
        if not isinstance(found, list):
            raise UserError(f"{self.overrides_file} cannot be read: it is no list of overrides")
        return [str(override) for override in found]

    def _read(self, file: Path, read: Callable[[Path, Path], Any]) -> Any:
        try:
            return read(file, self.path)
        except (OSError, ValueError) as error:
            raise UserError(f"{file} cannot be read: {getattr(error, 'strerror', error)}") from error

    def record(self, **files: str) -> None:
        """Write .hydra/NAME.yaml for each NAME=TEXT. Hydra itself would write these files too early, before a run can
        be refused."""
        self.config_file.parent.mkdir(exist_ok=True)
        for name, text in files.items():
            write_atomically(self.path / HYDRA / f"{name}.yaml", text.encode())

    def read_summary(self) -> Summary | None:
        """The content of summary.json; None without the file. Raises OSError or ValueError where it cannot be read."""
        return read_json_object(self.summary_file, self.path) if is_there(self.summary_file) else None

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json, with the checksums of the other files."""
        write_json(self.summary_file, {**summary, "files": self.checksums()})

    def checksums(self) -> dict[str, str]:
        """The readable files that decide what the run is, by their path in the folder, each with its checksum."""
        files = (self.config_file, self.overrides_file, self.metrics_file)
        return checksums(files, (self.best, self.last), self.path)

    def changed(self, files: Mapping[str, str]) -> list[str]:
        """The files whose checksum is not the one in `files`, which summary.json or an evaluation names. One that is not
        there any more has not changed: people remove checkpoints to save space."""
        current = self.checksums()
        return [n for n, value in files.items() if current.get(n) != value and (self.path / n).exists()]

    def damaged(self, summary: Summary) -> list[str]:
        """The files that are not as `summary`, the content of summary.json, says. Reads the checkpoints as a whole."""
        changed = self.changed(summary.get("files") or {})
        names = (str(file.relative_to(self.path)) for file in (self.best, self.last) if file.exists())
        return [*changed, *(n for n in names if n not in changed and not is_whole(self.path / n))]

    def status(self) -> str:
        """How the run ended: the status of summary.json, "unfinished" without one, else "unreadable"."""
        try:
            summary = self.read_summary()
            return UNFINISHED if summary is None else str(summary["status"])
        except (OSError, ValueError, KeyError):
            return UNREADABLE

    def finished(self, epochs: int) -> Summary | None:
        """The summary of a run that has finished all of its `epochs`, or has stopped early; else None."""
        if self.status() != FINISHED:
            return None
        summary = self.read_summary() or {}
        trained = finite_number(summary.get("epochs")) or 0
        return summary if trained >= epochs or summary.get("stopped_early", False) else None
