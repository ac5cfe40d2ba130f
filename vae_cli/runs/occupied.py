"""Refuses a folder that holds what another run, or somebody else, has left; removes one that a refused run has made."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vae_cli.errors import OutOfMemory, RunRefused, UserError
from vae_cli.runs import lock
from vae_cli.runs.files import is_there
from vae_cli.runs.folder import FINISHED, UNFINISHED, UNREADABLE, RunFolder


def refuse_other_content(folder: RunFolder, config: Mapping[str, Any]) -> None:
    """Raise RunRefused where the folder holds results of another configuration than `config`, or files that are not of a
    run of vae-train and that this one would replace."""
    from vae_cli.config.compose import plain  # here, because a comparison reads folders without Hydra
    from vae_cli.config.diff import differences

    if not folder.config_file.exists():
        _refuse_foreign_files(folder)
    elif has_results(folder) and (found := differences(plain(folder.saved_config()), config)):
        raise RunRefused(f"{folder} holds a run of another configuration: {'; '.join(found)}")


@contextmanager
def removed_if_refused(folder: RunFolder) -> Iterator[None]:
    """Remove the folder of a new run if a UserError ends the run before its first metrics, or if memory runs out before it has
    recorded its configuration. Also remove the folders above it that are then empty, up to the working directory. A folder
    that another process uses is kept."""
    is_new = not folder.path.exists() or not any(folder.path.iterdir())
    had_lock = is_there(folder.lock_file)
    try:
        yield
    except RunRefused:
        raise
    except (UserError, OutOfMemory) as error:
        if isinstance(error, OutOfMemory) and folder.config_file.exists():  # it had been accepted
            raise
        if is_new and not folder.metrics_file.exists() and not lock.is_held(folder.path):
            _remove(folder.path)
        elif not had_lock and not lock.is_held(folder.path):
            folder.lock_file.unlink(missing_ok=True)
        raise


def _remove(path: Path) -> None:
    """The working directory and the folders above it stay."""
    for entry in path.iterdir() if Path.cwd().is_relative_to(path.absolute()) else [path]:
        shutil.rmtree(entry, ignore_errors=True)
        if not entry.is_dir():
            entry.unlink(missing_ok=True)
    remove_empty(path.parent)


def remove_empty(folder: Path) -> None:
    """Remove a folder in the working directory, and then those above it, as long as they are empty."""
    folder = folder.absolute()
    with suppress(OSError):  # one that is not empty ends the loop
        while folder.is_relative_to(Path.cwd()) and folder != Path.cwd():
            folder.rmdir()
            folder = folder.parent


def has_results(folder: RunFolder) -> bool:
    """Whether a run has left what another one must not replace: a checkpoint, the end of its training, or metrics of a run
    that neither failed nor diverged."""
    status = folder.status()
    if folder.is_trained() or status in (FINISHED, "interrupted"):
        return True
    has_metrics = folder.metrics_file.exists() and folder.metrics_file.stat().st_size > 0
    return has_metrics and status not in ("failed", "diverged")


def _refuse_foreign_files(folder: RunFolder) -> None:
    """A folder may have lost its configuration, or its run was killed before it had one. A checkpoint and a summary show
    that the other files are a run's."""
    if folder.last.exists() or folder.status() not in (UNFINISHED, UNREADABLE):
        return
    pictures = (folder.figure("samples"), folder.figure("reconstructions"))
    written = (folder.best, folder.metrics_file, folder.summary_file, *pictures)
    if foreign := [str(file.relative_to(folder.path)) for file in written if file.exists()]:
        raise RunRefused(
            f"{folder} has files that are not of a run of vae-train: {', '.join(foreign)}; name another folder"
        )
