"""What commands have left in a place: whether it can be read, and what two places must have in common to be equal."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from PIL import Image
from run_comparison import CHECKSUMS, CLOCKS, assert_equal, saved
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vae_cli.runs import checkpoint
from vae_cli.runs.documents import read_json_object

EVENTS = re.compile(r"events\.out\.tfevents\.[\w.-]+?(\.evaluation)?")
TEMPORARY = re.compile(r"\..*partial")
# they tell of calls, with times and absolute paths
OF_THE_MOMENT = ("train.log", "hydra.yaml", "multirun.yaml")


def temporary(place: Path) -> list[str]:
    """Files and folders that are not complete, of any command."""
    return sorted(
        str(path.relative_to(place)) for path in place.rglob(".*") if TEMPORARY.fullmatch(path.name)
    )


def assert_readable(place: Path) -> None:
    """Whatever has its name is whole; only the last line of a log may be cut."""
    for path in _files(place):
        if any(TEMPORARY.fullmatch(part) for part in path.relative_to(place).parts):
            continue
        if path.suffix == ".json":
            read_json_object(path)
        elif path.suffix == ".yaml" and path.name != "multirun.yaml":  # which Hydra writes, and nobody reads
            assert yaml.safe_load(path.read_text()) is not None, path
        elif path.suffix == ".pt":
            checkpoint.load(path)
        elif path.suffix == ".jsonl":
            *lines, _ = path.read_text().split("\n")
            assert all(isinstance(json.loads(line), dict) for line in lines), path


def assert_same(place: Path, undisturbed: Path, tolerance: float = 0.0) -> None:
    """Parameters, optimizers, generators, metrics, summaries, pictures, pages and TensorBoard's scalars are equal, bit for
    bit without a tolerance; there is nothing else in either place."""
    a, b = (dict(_contents(each)) for each in (undisturbed, place))
    assert b.keys() == a.keys(), (
        f"missing {sorted(a.keys() - b.keys())}, too many {sorted(b.keys() - a.keys())}"
    )
    for name in a:
        assert_equal(a[name], b[name], tolerance, name)


def _files(place: Path) -> Iterator[Path]:
    return (path for path in sorted(place.rglob("*")) if path.is_file())


def _contents(place: Path) -> Iterator[tuple[str, Any]]:
    """Name → what can be compared, for each folder and file."""
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if path.is_dir():
            yield name, None
            if list(path.glob("events.out.*")):
                yield f"{name}/scalars", scalars(path)
        elif found := EVENTS.fullmatch(path.name):
            if found[1]:  # of the evaluation there is one; a run that was resumed has several
                yield f"{path.parent.relative_to(place)}/events{found[1]}", None
        else:
            yield name, None if path.name in OF_THE_MOMENT else _content(path, place)


def _content(path: Path, place: Path) -> Any:
    if path.suffix == ".pt":
        return saved(path.parents[1], path.stem)
    if path.suffix == ".jsonl":
        return [_timeless(json.loads(line)) for line in path.read_text().splitlines()]
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text().replace(str(place), "")))
    if path.suffix == ".png":
        with Image.open(path) as picture:
            return picture.size, picture.convert("RGBA").tobytes()
    return path.read_bytes().replace(str(place).encode(), b"")


def _timeless(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in (*CLOCKS, *CHECKSUMS)}


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows, but for what a clock says."""
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of every resumed run
    board = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    tags = [tag for tag in board.Tags()["scalars"] if not tag.endswith(CLOCKS)]
    return {tag: [(event.step, event.value) for event in board.Scalars(tag)] for tag in tags}
