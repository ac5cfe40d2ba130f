"""Finds the runs in and under given folders. Needs no torch."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from vae_cli.errors import UserError
from vae_cli.runs.folder import HYDRA, RunFolder


def run_folders(folders: Iterable[str]) -> list[RunFolder]:
    """Every run in or under `folders`, each once, sorted within a folder. A run is a folder with .hydra/; folders
    inside it are not searched. Raises UserError for a folder that is missing or holds no run."""
    found: dict[RunFolder, None] = {}
    for name in folders:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder}")
        runs = [RunFolder(Path(os.path.abspath(run))) for run in _runs(folder)]  # noqa: PTH100, resolve() would follow links
        if not runs:
            raise UserError(f"{folder} has no run in it: no folder with a {HYDRA}/config.yaml")
        found |= dict.fromkeys(runs)
    return list(found)


def _runs(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            inside = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    except PermissionError:
        return
    if HYDRA in inside:
        yield folder
        return
    for name in sorted(inside):
        if not name.startswith("."):
            yield from _runs(folder / name)


def relative_names(runs: Iterable[RunFolder]) -> list[str]:
    """The path of each run relative to the folder that holds them all."""
    paths = [run.path for run in runs]
    common = os.path.commonpath([path.parent for path in paths])
    return [str(path.relative_to(common)) for path in paths]
