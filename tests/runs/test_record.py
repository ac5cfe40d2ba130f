"""Records of run folders, also of folders with damaged files."""

import json
import re
import shutil
import subprocess
import sys
import time

import pytest
from runs.synthetic import ENTROPY, write_evaluation, write_run

from vae_cli.runs import checkpoint
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.record import read


def test_a_record_has_the_metrics_of_training_and_evaluation(tmp_path):
    run = write_run(tmp_path / "run", nll=8.0)
    write_evaluation(run, nll=7.5, auroc=None)
    record = read(RunFolder(run), "run")
    assert (record.name, record.status, record.entropy, record.error) == ("run", "finished", ENTROPY, None)
    assert record.metrics == {"test.nll": 8.0, "test.elbo": -9.0, "test.rate": 4.0, "test.distortion": 5.0,
                              "data.gap": 3.0, "seconds": 2.5, "steps": 100, "evaluation.nll": 7.5}  # fmt: skip


@pytest.mark.parametrize(
    ("summary", "status"),
    [
        (None, "unfinished"),
        ('{"status": "failed", "error": "no space"}', "failed"),
        ('{"status": "fini', "unreadable: "),
        ("[]", "unreadable: .*summary.json is no JSON object"),
        ("null", "unreadable: "),
        ('{"status": "finished", "test": 3}', "unreadable: "),
        ('{"status": "finished", "data": []}', "finished"),
    ],
)
def test_no_summary_raises_an_error(tmp_path, summary, status):
    run = write_run(tmp_path / "run", status=None)
    if summary is not None:
        (run / "summary.json").write_text(summary)
    record = read(RunFolder(run), "run")
    assert re.match(status, record.status)
    assert record.error == ("no space" if status == "failed" else None) and record.config["batch_size"] == 128


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"a: [", b"\xff\xfe\x00", b"latent: 3\n"])
def test_no_configuration_raises_an_error(tmp_path, content):
    run = write_run(tmp_path / "run")
    (run / ".hydra/config.yaml").write_bytes(content)
    assert read(RunFolder(run), "run").status.startswith("unreadable: ")


def test_a_missing_configuration_is_named(tmp_path):
    assert read(RunFolder(tmp_path), "run").status == "unreadable: config.yaml: No such file or directory"


def test_a_setting_is_a_number_or_a_text(tmp_path):
    record = read(RunFolder(write_run(tmp_path / "run", optimizer__fused=True)), "run")
    assert record.setting("latent") == record.setting("latent.name") == "bernoulli"
    assert record.setting("estimator.temperature") == 1.0  # the value of latent.temperature
    assert record.setting("optimizer.betas") == "[0.9, 0.999]" and record.setting("optimizer.fused") == "true"
    assert record.setting("optimizer.nothing") is None and not record.has("optimizer.nothing")
    assert record.has("latent") and record.has("latent.code_size")


def test_a_circle_of_references_ends(tmp_path):
    record = read(
        RunFolder(write_run(tmp_path / "run", latent__temperature="${estimator.temperature}")), "run"
    )
    assert record.setting("latent.temperature").startswith("${")


def test_the_report_is_the_page_of_vae_eval_or_else_the_folder(tmp_path):
    run = write_run(tmp_path / "run")
    assert read(RunFolder(run), "run").report == run
    write_evaluation(run, nll=1.0)
    (run / "evaluation/report.html").touch()
    assert read(RunFolder(run), "run").report == run / "evaluation/report.html"


def test_reading_imports_nothing_heavy():
    code = ("import sys, vae_cli.runs.record, vae_cli.runs.differing; "
            "assert not {'torch', 'omegaconf', 'hydra', 'numpy'} & sys.modules.keys(), sys.modules.keys()")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_hundred_folders_are_read_in_a_fraction_of_a_second(tmp_path):
    """Ten times as fast as with OmegaConf. The limit is generous, because the machine may be busy."""
    run = write_run(tmp_path / "run")
    start = time.process_time()
    for _ in range(100):
        read(RunFolder(run), "run")
    assert time.process_time() - start < 0.5


@pytest.fixture
def checked(tmp_path) -> RunFolder:
    """A run whose summary names its files."""
    folder = RunFolder(write_run(tmp_path / "run", nll=8.0, pictures=True))
    checkpoint.save(folder.best, {"model": {}, "step": 3}, {})
    folder.write_summary(folder.read_summary() or {})
    return folder


def test_a_run_whose_files_are_as_they_were_has_its_metrics(checked):
    assert read(checked, "run").status == "finished" and read(checked, "run").metrics["test.nll"] == 8.0


@pytest.mark.parametrize("name", [".hydra/config.yaml", "metrics.jsonl", "checkpoints/best.pt"])
def test_a_run_whose_files_have_changed_is_not_compared(checked, name):
    """The configuration may say another code size now, and the checkpoint may be another model."""
    file = checked.path / name
    file.write_bytes(file.read_bytes() + b"\n")
    record = read(checked, "run")
    assert record.status == f"changed: {name} not as summary.json says" and not record.metrics


def test_a_damaged_summary_is_no_result(checked):
    text = checked.summary_file.read_text()
    assert text.count("8.0") == 1
    checked.summary_file.write_text(text.replace("8.0", "6.0"))
    assert (
        read(checked, "run").status
        == "unreadable: run/summary.json is damaged: its content does not match its checksum"
    )


def test_the_evaluation_of_another_state_is_left_out_and_said(checked):
    write_evaluation(checked.path, nll=7.5)
    summary = {"figures": {"nll": {"value": 7.5}}, "step": 3, "files": {"checkpoints/best.pt": "00000000"}}
    checked.evaluation.summary_file.write_text(json.dumps(summary))
    record = read(checked, "run")
    assert "evaluation.nll" not in record.metrics and record.metrics["test.nll"] == 8.0
    (notice,) = record.notices
    assert "another state (step 3; checkpoints/best.pt changed since) and is left out" in notice
    summary["files"] = {"checkpoints/best.pt": str(checkpoint.identity(checked.best))}
    checked.evaluation.summary_file.write_text(json.dumps(summary))
    assert read(checked, "run").metrics["evaluation.nll"] == 7.5 and read(checked, "run").notices == ()


@pytest.mark.parametrize(("step", "is_left_out"), [(3, True), (12, False)])
@pytest.mark.parametrize(("checkpoint", "key"), [("best", "best_step"), ("last", "steps")])
def test_the_evaluation_of_an_earlier_version_names_its_state_by_the_step(
    checked, step, is_left_out, checkpoint, key
):
    checked.write_summary({"status": "finished", "test": {"nll": 8.0}, key: 12})
    evaluated = {"figures": {"nll": {"value": 7.5}}, "step": step, "checkpoint": checkpoint}
    checked.evaluation.path.mkdir()
    checked.evaluation.summary_file.write_text(json.dumps(evaluated))
    record = read(checked, "run")
    assert ("evaluation.nll" not in record.metrics) == is_left_out
    said = "another state (step 3; the checkpoint is now of step 12)"
    assert [said in notice for notice in record.notices] == [True] * is_left_out


@pytest.mark.parametrize("damage", ["cut", "a folder", "a link to nothing", "no summary"])
def test_an_evaluation_that_cannot_be_read_is_left_out_and_said(checked, damage):
    """The metrics of training do not go with it."""
    write_evaluation(checked.path, nll=7.5)
    file = checked.evaluation.summary_file
    if damage == "cut":
        file.write_text('{"figures": {')
    else:
        shutil.rmtree(checked.evaluation.path)
        if damage == "a link to nothing":
            checked.evaluation.path.symlink_to("nothing")
        else:
            (file if damage == "a folder" else file.parent).mkdir(parents=True)
    record = read(checked, "run")
    assert record.status == "finished" and record.metrics["test.nll"] == 8.0
    assert "evaluation.nll" not in record.metrics
    (notice,) = record.notices
    assert "run: its evaluation cannot be read (" in notice and "summary.json" in notice


@pytest.mark.parametrize("target", ["nothing", "summary.json"])
def test_a_summary_that_is_a_link_to_nothing_cannot_be_read(checked, target):
    """It is not the same as none, which an unfinished run has."""
    checked.summary_file.unlink()
    checked.summary_file.symlink_to(target)
    assert read(checked, "run").status.startswith("unreadable: ") and checked.status() == "unreadable"
