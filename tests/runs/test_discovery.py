"""Runs are found in and under given folders."""

from pathlib import Path

import pytest

from vae_cli.errors import UserError
from vae_cli.runs.discovery import relative_names, run_folders, without_comparisons
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


def test_links_to_runs_are_found_each_run_once(tmp_path):
    """Other links are not followed: to a folder above, to folders of runs, to nothing, in a circle."""
    inside, outside, behind = make_runs(tmp_path, "sweep/b", "elsewhere/run", "behind/many/run")
    (tmp_path / "sweep/a").symlink_to(inside.path)
    (tmp_path / "sweep/c").symlink_to(outside.path)
    (tmp_path / "sweep/d").symlink_to(outside.path)
    for name, target in (
        ("up", ".."),
        ("many", behind.path.parent),
        ("nothing", "missing"),
        ("circle", "circle"),
    ):
        (tmp_path / "sweep" / name).symlink_to(target)
    expected = [inside, RunFolder(tmp_path / "sweep/c")]
    assert run_folders([str(tmp_path / "sweep")]) == expected
    (tmp_path / "link").symlink_to(tmp_path / "sweep")
    assert run_folders([str(tmp_path / "link")]) == [RunFolder(tmp_path / "link" / n) for n in "bc"]
    assert run_folders([str(tmp_path / "link/c"), str(outside.path)]) == [outside]


def test_comparisons_among_the_folders_are_skipped(tmp_path):
    """`outputs/sweep/*` names the comparison that vae-compare wrote there."""
    expected = make_runs(tmp_path, "a", "b")
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison/compare.json").touch()
    given = [str(path) for path in sorted(tmp_path.iterdir())]
    assert run_folders(given) == expected and without_comparisons(given)[0] == str(tmp_path / "a")
    with pytest.raises(UserError, match="comparison has no run in it"):
        run_folders([str(tmp_path / "comparison")])
    (run,) = make_runs(tmp_path, "comparison/run")
    assert run in run_folders(given)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "there is no folder"),
        (" ", "there is no folder ' '"),
        ("empty", "has no run in it"),
        ("~nobody-with-this-name/x", "there is no folder ~nobody"),
    ],
)
def test_a_folder_without_a_run_is_refused(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        run_folders([name if name.startswith(("~", " ")) else str(tmp_path / name)])
