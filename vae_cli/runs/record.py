"""What a run folder says of itself, half-written ones included. Needs no torch, and no OmegaConf: reading 1,000
configurations takes it ten seconds, the YAML parser in C one."""

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from vae_cli.config.schema import flatten

FINISHED = "finished"
PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
REFERENCE = re.compile(r"\$\{([\w.]+)\}")  # as in estimator.temperature: ${latent.temperature}
BYPRODUCTS = ("_standard_error", "_samples")  # how a figure was measured


class RunRecord(NamedTuple):
    """One run folder. `config` is flat and as it was saved, references included."""

    folder: Path
    name: str
    status: str  # of summary.json, "unfinished" without one, or why the folder cannot be read
    config: dict[str, Any]
    figures: dict[str, float]  # test.nll, validation.elbo, data.gap, seconds, steps, evaluation.nll, …
    entropy: float | None  # of the data, nats/image
    error: str | None = None  # what summary.json says of a failure

    @property
    def report(self) -> Path:
        """Where a reader goes on: the page that vae-eval left, else the folder."""
        page = self.folder / "evaluation/report.html"
        return page if page.exists() else self.folder

    def setting(self, key: str) -> Any:
        """The value of a key as a number or a text, references followed; None where it has no such key."""
        value = self.config.get(key)
        for _ in range(8):  # a chain of references, not a circle
            if not (isinstance(value, str) and (found := REFERENCE.fullmatch(value))):
                break
            value = self.config.get(found[1])
        if key not in self.config or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def read(folder: Path, name: str) -> RunRecord:
    """Never raises for what stands in the folder: its `status` says what is wrong."""
    config, status, figures, entropy, failure = {}, "unfinished", {}, None, None
    try:
        config = _config(folder / ".hydra/config.yaml")
        if (file := folder / "summary.json").exists():
            summary = _object(file)
            status, entropy = str(summary.get("status")), _number((summary.get("data") or {}).get("entropy"))
            figures, failure = dict(_figures(summary)), summary.get("error")
        if (file := folder / "evaluation/summary.json").exists():
            figures |= dict(_evaluated(_object(file)))
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        status = f"unreadable: {_reason(error)}"
    return RunRecord(folder, name, status, config, figures, entropy, failure)


def curve(folder: Path, points: int = 200) -> tuple[str, list[tuple[float, float]]]:
    """("validation" or "train", [(epoch, elbo)]): at most about `points` points, evenly thinned, the last one kept."""
    found: dict[str, list[tuple[float, float]]] = {"validation": [], "train": []}
    for line in _lines(folder / "metrics.jsonl"):
        split = str(line.get("split"))
        elbo = _number(line.get("epoch_elbo" if split == "train" else "elbo"))
        epoch = _number(line.get("epoch"))
        if split in found and elbo is not None and epoch is not None:
            found[split].append((epoch, elbo))
    split = "validation" if found["validation"] else "train"
    stride = -(-len(found[split]) // points) or 1
    return split, found[split][::-stride][::-1]


def latest(folder: Path) -> tuple[float, float | None] | None:
    """The epoch of the last line of metrics.jsonl, and the last elbo there, reading its last kilobytes alone."""
    try:
        with (folder / "metrics.jsonl").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            lines = [json.loads(line) for line in file.read().splitlines()[1:]]
    except (OSError, ValueError):  # not begun, or a line under way
        return None
    elbos = [line["elbo"] for line in lines if "elbo" in line]
    return (lines[-1]["epoch"], elbos[-1] if elbos else None) if lines else None


def _lines(metrics: Path) -> Iterator[Mapping[str, Any]]:
    if not metrics.exists():
        return
    with metrics.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if '"epoch_elbo"' not in line and '"validation"' not in line:
                continue  # most lines are of single steps: not worth parsing
            try:
                value = json.loads(line)
            except json.JSONDecodeError:  # a dying process left half a line
                continue
            if isinstance(value, Mapping):
                yield value


def _config(file: Path) -> dict[str, Any]:
    if not isinstance(config := yaml.load(file.read_bytes(), PARSER), Mapping) or "seed" not in config:
        raise ValueError(f"{file.name} is no configuration of vae-train")
    return flatten({str(key): value for key, value in config.items() if key != "hydra"})


def _object(file: Path) -> dict[str, Any]:
    value = json.loads(file.read_bytes())
    if not isinstance(value, dict):
        raise ValueError(f"{file.parent.name}/{file.name} is no JSON object")
    return value


def _figures(summary: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for split in ("test", "validation"):
        yield from _numbers(
            ((f"{split}.{name}", value) for name, value in (summary.get(split) or {}).items())
        )
    plain = {name: summary.get(name) for name in ("seconds", "steps")}
    yield from _numbers({"data.gap": (summary.get("data") or {}).get("gap"), **plain}.items())


def _evaluated(summary: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    figures = summary.get("figures") or {}
    return _numbers((f"evaluation.{name}", figure.get("value")) for name, figure in figures.items())


def _numbers(pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, float]]:
    for name, value in pairs:
        if (number := _number(value)) is not None and not name.endswith(BYPRODUCTS):
            yield name, number


def _number(value: Any) -> float | None:
    is_one = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_one else None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        name = Path(str(error.filename)).name if error.filename else ""
        return f"{error.strerror} {name}".strip()
    return " ".join(str(error).split())[:120]
