"""Runs are found in and under given folders."""

from pathlib import Path

import pytest

from vae_cli.errors import UserError
from vae_cli.runs.discovery import relative_names, run_folders
from vae_cli.runs.folder import RunFolder


def make_runs(root: Path, *names: str) -> list[RunFolder]:
    for name in names:
        (root / name / ".hydra").mkdir(parents=True)
    return [RunFolder(root / name) for name in names]


def test_runs_are_found_once_at_any_depth_but_not_inside_a_run(tmp_path):
    expected = make_runs(tmp_path, "deep/er/run", "run")
    make_runs(tmp_path, "run/inner", ".hidden")
    found = run_folders([str(tmp_path), str(tmp_path / "run")])
    assert found == expected
    assert relative_names(found) == ["deep/er/run", "run"]
    assert relative_names(expected[1:]) == ["run"]


@pytest.mark.parametrize(
    ("name", "message"), [("missing", "there is no folder"), ("empty", "has no run in it")]
)
def test_a_folder_without_a_run_is_refused(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        run_folders([str(tmp_path / name)])
