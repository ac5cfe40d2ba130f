"""The paths in an evaluation, which only this module and `folder.py` spell."""

from dataclasses import dataclass
from pathlib import Path


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
