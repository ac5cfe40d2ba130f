"""Finds the runs in and under given folders. Needs no torch."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from vae_cli.errors import UserError
from vae_cli.runs.files import user_path
from vae_cli.runs.folder import HYDRA, RunFolder

COMPARISON = "compare.json"  # the file by which a folder that vae-compare wrote is known


def run_folders(folders: Iterable[str]) -> list[RunFolder]:
    """Every run in or under `folders`, each once, sorted within a folder. A run is a folder with .hydra/, or a link to
    one; folders inside it are not searched. Comparisons among `folders` are skipped. Raises UserError for a folder that
    is missing or holds no run."""
    found: dict[RunFolder, None] = {}
    for name in without_comparisons(folders):
        folder = user_path(name)
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder if name.strip() else repr(name)}")
        runs = [RunFolder(Path(os.path.abspath(run))) for run in _runs(folder)]  # noqa: PTH100, resolve() would follow links
        if not runs:
            raise UserError(f"{folder} has no run in it: no folder with a {HYDRA}/config.yaml")
        found |= dict.fromkeys(runs)
    return _each_once(found)


def without_comparisons(folders: Iterable[str]) -> list[str]:
    """A pattern such as `outputs/sweep/*` also names the comparison of the sweep. A folder of nothing else stays."""
    given = list(folders)
    return [name for name in given if not _is_comparison(user_path(name))] or given


def _is_comparison(folder: Path) -> bool:
    return (folder / COMPARISON).is_file() and next(_runs(folder), None) is None


def _each_once(runs: Iterable[RunFolder]) -> list[RunFolder]:
    """Without links to runs that are there already."""
    real: dict[Path, RunFolder] = {}
    for run in sorted(runs, key=lambda run: run.path.is_symlink()):
        real.setdefault(run.path.resolve(), run)
    kept = set(real.values())
    return [run for run in runs if run in kept]


def _runs(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            inside = {e.name for e in entries if e.is_dir(follow_symlinks=False) or _leads_to_a_run(e)}
    except PermissionError:
        return
    if HYDRA in inside:
        yield folder
        return
    for name in sorted(inside):
        if not name.startswith("."):
            yield from _runs(folder / name)


def _leads_to_a_run(entry: os.DirEntry[str]) -> bool:
    """Other links are not followed: they could lead in a circle, or to everything on the disk."""
    if not entry.is_symlink() or entry.name == HYDRA:
        return False
    try:
        return Path(entry, HYDRA).is_dir()
    except OSError:
        return False


def relative_names(runs: Iterable[RunFolder]) -> list[str]:
    """The path of each run relative to the folder that holds them all."""
    paths = [run.path for run in runs]
    common = os.path.commonpath([path.parent for path in paths])
    return [str(path.relative_to(common)) for path in paths]
