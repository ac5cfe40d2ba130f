"""vae-eval again, elsewhere, for several runs at once, and for runs that did not end well."""

import shutil
from pathlib import Path

import pytest
from evaluation.outcome import QUICK, assert_done, assert_one_line, events, figures, summary

from vae_cli.runs.folder import RunFolder


def test_a_second_evaluation_is_the_same_and_replaces_the_first(command, evaluated):
    folder, earlier_console = evaluated("bernoulli")
    first = summary(folder)
    console = assert_done(command("vae-eval", f"run={folder}", "nll_samples=1000", cwd=folder.parent))
    again = summary(folder)
    assert first.pop("seconds") > 0 and again.pop("seconds") > 0
    assert again == first
    assert len(list(folder.glob("*.evaluation"))) == 1
    assert len(events(folder).Scalars("evaluation/nll")) == 1
    assert sorted(first["written"]) == sorted(path.name for path in (folder / "evaluation").iterdir())
    assert {path.name for path in folder.glob(".*")} <= {".hydra", ".lock"}
    assert console == earlier_console


def test_a_run_that_was_moved_by_a_relative_path_with_chosen_pictures(command, original_bernoulli, tmp_path):
    """Only the pictures asked for, in the order of the report."""
    shutil.copytree(original_bernoulli, tmp_path / "some where/else")
    run = command("vae-eval", "run=some where/else", *QUICK[:2], "pictures=[traversals,bits]", cwd=tmp_path)
    assert_done(run)
    folder = tmp_path / "some where/else"
    assert {path.stem for path in folder.glob("evaluation/*.png")} == {"traversals", "bits"}
    html = (folder / "evaluation/report.html").read_text()
    assert html.index('id="traversals"') < html.index('id="bits"')
    assert [path.name for path in tmp_path.iterdir()] == ["some where"]


def test_several_runs_at_once(command, original_bernoulli, original_deterministic, tmp_path):
    for folder in (original_bernoulli, original_deterministic):
        shutil.copytree(folder, tmp_path / folder.name)
    run = command("vae-eval", "-m", "run=bernoulli,deterministic", *QUICK, cwd=tmp_path)
    assert "HYDRA" not in run.stdout + run.stderr  # it would show overrides as they were typed
    assert run.returncode == 0 and run.stderr == ""
    assert figures(tmp_path / "bernoulli")["nll"] and figures(tmp_path / "deterministic")["distortion"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bernoulli", "deterministic"]


def test_the_seed_and_the_number_of_images_change_the_figures(command, original_bernoulli, tmp_path):
    folder, found = Path(shutil.copytree(original_bernoulli, tmp_path / "run")), []
    for arguments in (["seed=1"], ["seed=2"], ["seed=2", "test_images=10"]):
        assert_done(command("vae-eval", f"run={folder}", *QUICK, *arguments, cwd=tmp_path))
        found.append(figures(folder)["nll"])
    assert found[0] != found[1] and [figure["n"] for figure in found] == [60, 60, 10]
    assert abs(found[0]["value"] - found[1]["value"]) < found[0]["standard_error"]


# Runs that did not end well.


@pytest.mark.parametrize(
    ("status", "checkpoint"), [("diverged", "best"), ("interrupted", "last"), (None, "best")]
)  # fmt: skip
def test_a_run_that_did_not_finish_is_evaluated_with_a_notice(
    command, original_bernoulli, tmp_path, status, checkpoint
):
    folder = Path(shutil.copytree(original_bernoulli, tmp_path / "run"))
    if status is None:
        (folder / "summary.json").unlink()
    else:
        run = RunFolder(folder)
        run.write_summary((run.read_summary() or {}) | {"status": status})
    console = assert_done(command("vae-eval", "run=run", *QUICK, f"checkpoint={checkpoint}", cwd=tmp_path))
    found, word = summary(folder), status or "unfinished"
    assert found["status"] == word and found["checkpoint"] == checkpoint
    (notice,) = found["notices"]
    assert f"the run is {word}" in notice and checkpoint in notice and f"{found['step']:,}" in notice
    assert notice in console and notice in (folder / "evaluation/report.html").read_text()


def test_a_run_without_a_best_checkpoint_is_evaluated_at_its_last_one(command, original_bernoulli, tmp_path):
    folder = Path(shutil.copytree(original_bernoulli, tmp_path / "run"))
    (folder / "checkpoints/best.pt").unlink()
    console = assert_done(command("vae-eval", "run=run", *QUICK, cwd=tmp_path))
    found = summary(folder)
    assert found["checkpoint"] == "last"
    (notice,) = found["notices"]
    assert "best.pt" in notice and notice in console


@pytest.mark.parametrize("original", ["original_bernoulli", "original_deterministic"])
def test_one_image_is_enough(request, command, tmp_path, original):
    folder = Path(shutil.copytree(request.getfixturevalue(original), tmp_path / "run"))
    run = command("vae-eval", "run=run", "nll_samples=10", "probe=false", "test_images=1", cwd=tmp_path)
    assert_done(run)
    found = figures(folder)["distortion"]
    assert found["n"] == 1 and found["standard_error"] is None


def test_test_labels_of_one_class_are_no_failure(command, original_gaussian, tmp_path):
    """probe=auto on the first image alone; it may leave the probes out or say why not in one line."""
    shutil.copytree(original_gaussian, tmp_path / "run")
    arguments = ["nll_samples=10", "test_images=1", "pictures=[]", "classifier_epochs=0"]
    run = command("vae-eval", "run=run", *arguments, cwd=tmp_path)
    if run.returncode:
        assert_one_line(run)
    assert "Traceback" not in run.stderr


def test_a_broken_summary_of_the_run_is_no_failure(command, original_bernoulli, tmp_path):
    """JSON that is no object, and bytes that are no text."""
    folder = Path(shutil.copytree(original_bernoulli, tmp_path / "run"))
    for content in (b"{", b"{}", b"[]", b"\xff\xfe"):
        (folder / "summary.json").write_bytes(content)
        assert_done(command("vae-eval", "run=run", *QUICK, cwd=tmp_path))
        assert summary(folder)["status"] == "unreadable"
