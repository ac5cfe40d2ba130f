"""Reads what the files of a run folder say, even if some are missing or incomplete.

Reading is fast enough for thousands of folders: without torch, and with the C parser of PyYAML instead of OmegaConf,
which takes ten times as long.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from vae_cli.config.diff import flatten
from vae_cli.config.saved import upgraded
from vae_cli.runs.documents import read_json_object, read_yaml
from vae_cli.runs.files import is_there
from vae_cli.runs.folder import UNFINISHED, RunFolder
from vae_cli.runs.metrics_log import finite_number

REFERENCE = re.compile(r"\$\{([\w.]+)\}")  # as in estimator.temperature: ${latent.temperature}
BYPRODUCTS = ("_standard_error", "_samples")  # of metrics: they describe how a metric was measured


class RunRecord(NamedTuple):
    """One run folder. `config` is flat, and references in it are not resolved."""

    folder: RunFolder
    name: str
    status: str  # of summary.json, "unfinished" without one, or why the folder cannot be read
    config: dict[str, Any]
    metrics: dict[str, float]  # test.nll, validation.elbo, data.gap, seconds, steps, evaluation.nll, …
    entropy: float | None  # of the data, nats/image
    error: str | None = None  # the failure that summary.json names
    notices: tuple[str, ...] = ()  # what does not belong together
    evaluated_with: Mapping[str, Any] = MappingProxyType({})  # the settings of vae-eval

    @property
    def report(self) -> Path:
        """The page that vae-eval wrote; the folder where there is none."""
        page = self.folder.evaluation.report
        return page if page.exists() else self.folder.path

    def has(self, column: str) -> bool:
        return self._key(column) in self.config

    def setting(self, column: str) -> Any:
        """The value of a key as a number or a text, with references resolved; None where the run has no such key. The
        value of a group, for example `latent`, is the name of its option."""
        key = self._key(column)
        value = self.config.get(key)
        for _ in range(8):  # references may form a chain; a circle of references must end
            if not (isinstance(value, str) and (found := REFERENCE.fullmatch(value))):
                break
            value = self.config.get(found[1])
        if key not in self.config or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)

    def _key(self, column: str) -> str:
        return f"{column}.name" if f"{column}.name" in self.config else column


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def read(folder: RunFolder, name: str) -> RunRecord:
    """The record of a run folder. No content of the folder raises an error: `status` says what is wrong with it."""
    record = RunRecord(folder, name, UNFINISHED, {}, {}, None)
    try:
        record = record._replace(config=_config(folder))
        summary = folder.read_summary()
        if summary is not None:
            record = _with_summary(record, summary)
        if is_there(folder.evaluation.path):
            record = _with_evaluation(record, summary or {})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        return record._replace(status=f"unreadable: {_reason(error)}", metrics={})
    return record


def _config(folder: RunFolder) -> dict[str, Any]:
    config = read_yaml(folder.config_file, folder.path)
    if not isinstance(config, Mapping) or "seed" not in config:
        raise ValueError(f"{folder.config_file.name} is no configuration of vae-train")
    return flatten(upgraded({str(key): value for key, value in config.items() if key != "hydra"}))


def _with_summary(record: RunRecord, summary: Mapping[str, Any]) -> RunRecord:
    """What vae-train has found, if the configuration and the checkpoints are still those that it found it with."""
    status, error = str(summary.get("status")), summary.get("error")
    changed = record.folder.changed(summary.get("files") or {})
    if changed:
        status = f"changed: {', '.join(changed)} not as summary.json says"
    return record._replace(
        status=status,
        error=None if error is None else str(error),
        entropy=finite_number((summary.get("data") or {}).get("entropy")),
        metrics={} if changed else dict(_trained(summary)),
    )


def _with_evaluation(record: RunRecord, summary: Mapping[str, Any]) -> RunRecord:
    """With the metrics of vae-eval, unless they cannot be read or are of another state of the model."""
    file = record.folder.evaluation.summary_file
    try:
        evaluated = read_json_object(file, record.folder.path)
    except (OSError, ValueError) as error:
        notice = f"{record.name}: its evaluation cannot be read ({_reason(error)}) and is left out"
        return record._replace(notices=(*record.notices, notice))
    if since := _changed_since(record.folder, evaluated, summary):
        notice = f"{record.name}: its evaluation is of another state (step {evaluated.get('step')}; {since})"
        return record._replace(notices=(*record.notices, f"{notice} and is left out"))
    settings = dict(evaluated.get("settings") or {})
    return record._replace(metrics=record.metrics | dict(_evaluated(evaluated)), evaluated_with=settings)


def _changed_since(folder: RunFolder, evaluated: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """What is not as it was when the model was evaluated. Evaluations of earlier versions name no checksum, but a step."""
    if changed := folder.changed(evaluated.get("files") or {}):
        return f"{', '.join(changed)} changed since"
    now = summary.get({"best": "best_step", "last": "steps"}.get(str(evaluated.get("checkpoint")), ""))
    is_known = not evaluated.get("files") and now is not None
    return f"the checkpoint is now of step {now}" if is_known and now != evaluated.get("step") else ""


def _trained(summary: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The metrics in the summary of vae-train."""
    for split in ("test", "validation"):
        yield from _numbers((f"{split}.{name}", value) for name, value in (summary.get(split) or {}).items())
    gap = (summary.get("data") or {}).get("gap")
    yield from _numbers([("data.gap", gap), *((name, summary.get(name)) for name in ("seconds", "steps"))])


def _evaluated(summary: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The metrics in the summary of vae-eval."""
    measured = summary.get("figures") or {}
    return _numbers((f"evaluation.{name}", each.get("value")) for name, each in measured.items())


def _numbers(pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, float]]:
    for name, value in pairs:
        if (number := finite_number(value)) is not None and not name.endswith(BYPRODUCTS):
            yield name, number


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        name = Path(str(error.filename)).name if error.filename else ""
        return f"{name}: {error.strerror}" if name else str(error.strerror)
    return " ".join(str(error).split())[:120]
