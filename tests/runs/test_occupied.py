"""A run that is refused leaves no folder, and one that has begun keeps it."""

from pathlib import Path

import pytest

from vae_cli.errors import OutOfMemory, RunLocked, RunRefused, UserError
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.occupied import removed_if_refused


def fail_in(folder: RunFolder, error: Exception, *files: Path) -> None:
    with pytest.raises(type(error)), removed_if_refused(folder):
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        raise error


def test_a_new_run_that_a_bad_key_ends_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(tmp_path / "outputs/vae/run")
    fail_in(folder, UserError("a bad key"), folder.log_file, folder.config_file)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_that_was_there_is_emptied_and_kept(tmp_path, monkeypatch):
    """It may be the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(Path())
    fail_in(folder, UserError("a bad key"), folder.log_file, folder.config_file)
    assert tmp_path.is_dir() and list(tmp_path.iterdir()) == []


def test_the_folder_of_a_run_that_has_begun_is_kept(tmp_path):
    folder = RunFolder(tmp_path / "run")
    fail_in(folder, UserError("a bad key"), folder.metrics_file)
    fail_in(folder, UserError("a bad key"))
    assert folder.metrics_file.exists()


def test_a_run_that_fails_before_it_is_recorded_leaves_no_folder(tmp_path, monkeypatch):
    """Memory may run out while its parts are built. Once recorded, it keeps its folder, with what it has to say."""
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(tmp_path / "outputs/vae/run")
    fail_in(folder, OutOfMemory("out of memory"), folder.lock_file, folder.log_file)
    assert list(tmp_path.iterdir()) == []
    fail_in(folder, OutOfMemory("out of memory"), folder.lock_file, folder.config_file)
    assert folder.config_file.exists() and folder.lock_file.exists()


def test_a_folder_that_another_process_has_just_locked_is_kept(tmp_path):
    folder = RunFolder(tmp_path / "run")
    fail_in(folder, RunLocked("another process writes it"), folder.lock_file)
    assert folder.lock_file.exists()


def test_a_folder_with_files_of_somebody_else_keeps_them_and_no_lock(tmp_path):
    (tmp_path / "notes.txt").touch()
    folder = RunFolder(tmp_path)
    fail_in(folder, UserError("a bad key"), folder.lock_file)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    folder.lock_file.touch()
    fail_in(folder, UserError("a bad key"), folder.lock_file)
    assert folder.lock_file.exists()


@pytest.mark.parametrize("name", ["figures/reconstructions.png", "checkpoints/last.pt", ".hydra/config.yaml"])
def test_a_folder_in_the_place_of_a_file_is_refused_before_anything_is_written(tmp_path, name):
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(RunRefused, match=f"{name} is a folder, not a file"), RunFolder(tmp_path).locked():
        pass
    assert not RunFolder(tmp_path).lock_file.exists()


@pytest.mark.parametrize("name", ["figures", "checkpoints", ".hydra"])
def test_a_file_in_the_place_of_a_folder_is_refused_by_its_name(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(RunRefused, match=f"{name} is no folder"), RunFolder(tmp_path).locked():
        pass
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to(name)
    with pytest.raises(RunRefused, match=name), RunFolder(tmp_path).locked():
        pass
