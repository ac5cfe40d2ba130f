"""A run folder belongs to one configuration and says how its run ended."""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from vae_cli.errors import RunRefused, UserError
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.occupied import refuse_other_content

CONFIG = {"epochs": 3, "seed": 0, "latent": {"name": "gaussian", "code_size": 2}}


def trained(path: Path) -> RunFolder:
    """A folder with a checkpoint and the configuration of its run."""
    folder = RunFolder(path)
    path.mkdir()
    folder.record(config=OmegaConf.to_yaml(OmegaConf.create(CONFIG)), overrides="- seed=0\n")
    folder.best.parent.mkdir()
    folder.best.touch()
    return folder


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"latent": {"name": "gaussian", "code_size": 3}}, {"new": 1}]
)
def test_another_configuration_of_a_trained_folder_is_refused(tmp_path, change):
    with pytest.raises(RunRefused, match="another configuration: "):
        refuse_other_content(trained(tmp_path / "run"), CONFIG | change)


@pytest.mark.parametrize("change", [{}, {"epochs": 9}])
def test_a_configuration_that_a_resumed_run_may_have_is_accepted(tmp_path, change):
    refuse_other_content(trained(tmp_path / "run"), CONFIG | change)


def test_a_folder_without_a_checkpoint_accepts_any_configuration(tmp_path):
    folder = trained(tmp_path / "run")
    folder.best.unlink()
    refuse_other_content(folder, CONFIG | {"seed": 1})


def test_recorded_files_can_be_read(tmp_path):
    folder = trained(tmp_path / "run")
    assert OmegaConf.load(tmp_path / "run/.hydra/config.yaml") == CONFIG
    assert folder.overrides() == ["seed=0"]


def test_a_folder_without_overrides_has_none(tmp_path):
    assert RunFolder(tmp_path).overrides() == []


def test_a_folder_without_a_configuration_is_named(tmp_path):
    with pytest.raises(UserError, match=r"is no run folder: it has no .hydra/config.yaml"):
        RunFolder(tmp_path).config()


@pytest.mark.parametrize("text", ["data:\n  root: ${", "data: {root: '${nowhere}'}", "a: ${b}\nb: ${a}"])
def test_a_saved_reference_that_leads_nowhere_is_named_with_its_file(tmp_path, text):
    """As a file that was cut off has one. It is a UserError, which is not written to the run's log."""
    folder = trained(tmp_path / "run")
    folder.config_file.write_text(text)
    for read in (folder.saved_config, lambda: refuse_other_content(folder, CONFIG)):
        with pytest.raises(UserError, match=r"\.hydra/config\.yaml cannot be read: "):
            read()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (None, "unfinished"), ("", "unreadable"), ("{", "unreadable"), ("[]", "unreadable"), ("{}", "unreadable"),
        (json.dumps({"status": "failed"}), "failed"), (json.dumps({"status": "interrupted"}), "interrupted"),
    ],
)  # fmt: skip
def test_a_run_without_a_summary_that_says_so_has_not_finished(tmp_path, content, status):
    folder = RunFolder(tmp_path)
    if content is not None:
        folder.summary_file.write_text(content)
    assert folder.status() == status
    assert folder.finished(1) is None


@pytest.mark.parametrize(
    ("stopped_early", "epochs", "done"), [(False, 3, True), (False, 4, False), (True, 4, True)]
)
def test_a_run_has_finished_if_it_trained_all_epochs_or_stopped_early(tmp_path, stopped_early, epochs, done):
    summary = {"status": "finished", "epochs": 3, "stopped_early": stopped_early}
    RunFolder(tmp_path).write_summary(summary)
    assert RunFolder(tmp_path).finished(epochs) == (summary | {"files": {}} if done else None)
