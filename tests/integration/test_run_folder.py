"""A run of vae-train in an empty folder: what it prints, and every file that it leaves."""

import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from integration.installed import RECTANGLES, TWO_EPOCHS, assert_one_line, events, metrics, summary, vae
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> subprocess.CompletedProcess:
    cwd = tmp_path_factory.mktemp("empty")
    done = vae(*TWO_EPOCHS, "log_every=1", cwd=cwd)
    assert done.returncode == 0, done.stderr
    done.cwd = cwd
    return done


@pytest.fixture(scope="module")
def folder(run) -> Path:
    """outputs/<name>/<date>_<time>/, and nothing else in the working directory."""
    assert [path.name for path in run.cwd.iterdir()] == ["outputs"]
    assert [path.name for path in (run.cwd / "outputs").iterdir()] == ["vae"]
    (folder,) = (run.cwd / "outputs/vae").iterdir()
    return folder


@pytest.fixture(scope="module")
def board(folder) -> EventAccumulator:
    return events(folder)


def test_a_run_leaves_its_run_folder(folder):
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.\d+", folder.name)
    found = {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    }
    (event_file,) = (name for name in found if name.startswith("events.out."))
    assert found - {event_file} == {
        ".hydra/config.yaml", ".hydra/overrides.yaml", ".hydra/hydra.yaml", "metrics.jsonl",
        "checkpoints/last.pt", "checkpoints/best.pt", "figures/samples.png", "figures/reconstructions.png",
        "train.log", "summary.json",
    }  # fmt: skip


def test_the_console_says_what_runs_and_what_came_out(run, folder):
    """First device, runtime, data, model, code and folder; last the table, the files, the commands that go on."""
    lines = run.stdout.splitlines()
    firsts = [line.split()[0] for line in lines[:6]]
    assert firsts == ["device", "runtime", "data", "model", "code", "folder"]
    assert "cpu" in lines[0] and lines[1].endswith(" eager (auto)")  # few steps
    assert "rectangles, 200/50/50 images of 1×24×24, entropy 10.037" in lines[2]
    assert "20 units" in lines[4] and str(folder) in lines[5]
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("test")) :]
    firsts = [line.split()[0] for line in table[1:]]
    assert firsts[:6] == ["elbo", "rate", "distortion", "nll", "entropy", "gap"]
    shown = {line.split()[0]: float(line.split()[1]) for line in table[1:7]}
    for name in ("elbo", "rate", "distortion", "nll"):
        assert shown[name] == pytest.approx(summary(folder)["test"][name], abs=6e-4)
    for file in ("samples.png", "reconstructions.png", "summary.json"):
        assert any(line.endswith(file) for line in table)
    assert table[-2].endswith(f"tensorboard --logdir {folder}")
    assert table[-1].endswith(f"vae-eval run={folder}")
    assert run.stderr == ""  # no bar where there is no terminal


def test_train_log_has_the_lines_of_the_console(run, folder):
    logged = (folder / "train.log").read_text().splitlines()
    assert [line.split(" ", 3)[3] for line in logged] == run.stdout.splitlines()


def test_summary_has_the_figures_that_everything_downstream_reads(folder):
    found = summary(folder)
    assert found["status"] == "finished" and (found["steps"], found["epochs"]) == (4, 2)
    assert found["device"] == "cpu" and {"vae-cli", "python", "torch"} <= found["versions"].keys()
    assert found["seconds"] > 0 and found["examples_per_second"] > 0
    for split in ("validation", "test"):
        figures = found[split]
        assert figures["elbo"] < 0 < figures["rate"]
        assert figures["elbo"] == pytest.approx(-figures["rate"] - figures["distortion"], rel=1e-6)
        assert len(figures["rate_per_unit"]) == 20
        assert sum(figures["rate_per_unit"]) == pytest.approx(figures["rate"], rel=1e-5)
    test, data = found["test"], found["data"]
    assert test["nll_samples"] == 5 and test["nll"] > 0 and isinstance(test["active_units"], int)
    assert data["entropy"] == pytest.approx(
        2 * (math.log(9) + sum(math.log(25 - s) for s in range(4, 13)) / 9)
    )
    assert data["gap"] == pytest.approx(test["nll"] - data["entropy"])


def test_figures_are_pictures_of_the_expected_size(folder):
    """20 × 20 samples at two pixels a pixel, 2 × 10 images at three, grey lines between, and margins."""
    for name, rows, columns, zoom, margins in (
        ("samples", 20, 20, 2, (31, 68)),
        ("reconstructions", 2, 10, 3, (151, 68)),
    ):
        pixels = np.asarray(Image.open(folder / f"figures/{name}.png").convert("L"))
        height, width = (zoom * (count * 25 + 1) for count in (rows, columns))
        assert 0 <= pixels.shape[0] - height <= margins[1]
        assert 0 <= pixels.shape[1] - width <= margins[0]
        assert pixels.min() < 50 and pixels.max() == 255


def test_observations_stand_over_their_reconstructions(folder):
    """The first row of reconstructions.png is ten binary images, each one rectangle; the second is grey."""
    pixels = np.asarray(Image.open(folder / "figures/reconstructions.png").convert("L")).astype(int)
    grid = pixels[pixels.shape[0] // 2 - 50 : pixels.shape[0] // 2 + 50]
    first, second = grid[:40], grid[60:]
    levels = [len(np.unique(row[:, -300:-30])) for row in (first, second)]
    assert levels[0] < 10 < levels[1]


def test_tensorboard_has_every_scalar_of_every_split(board):
    scalars = set(board.Tags()["scalars"])
    for name in ("loss", "beta", "learning_rate", "gradient_norm", "examples_per_second"):
        assert f"train/{name}" in scalars
    for split in ("train", "validation", "test"):
        assert {f"{split}/{name}" for name in ("elbo", "rate", "distortion")} <= scalars
    assert {"validation/active_units", "test/active_units", "test/nll", "test/gap"} <= scalars
    assert {tag.partition("/")[0] for tag in scalars} == {"train", "validation", "test"}
    assert "validation/rate_per_unit" in board.Tags()["histograms"]


def test_tensorboard_has_images_as_training_goes(board):
    for tag in ("samples", "reconstructions"):
        assert [image.step for image in board.Images(tag)] == [2, 4]
    assert [(i.width, i.height) for i in board.Images("samples")] == [(402, 402)] * 2
    assert [(i.width, i.height) for i in board.Images("reconstructions")] == [(502, 102)] * 2


def test_tensorboard_has_the_configuration_and_the_hyper_parameters(board, folder):
    """As text, and for the HPARAMS tab with the status at the end; all in this one run, without sub-runs."""
    text = board.Tensors("configuration/text_summary")[0].tensor_proto.string_val[0].decode()
    config = yaml.safe_load("\n".join(line.removeprefix("    ") for line in text.splitlines()))
    saved = yaml.safe_load((folder / ".hydra/config.yaml").read_text())
    assert config["network"] == saved["network"] and config["epochs"] == 2
    hparams = board.PluginTagToContent("hparams")
    assert hparams.keys() == {"_hparams_/session_start_info", "_hparams_/session_end_info"}
    start = hparams["_hparams_/session_start_info"]
    assert b"latent.code_size" in start and b"optimizer.lr" in start
    assert len(list(folder.rglob("events.out.*"))) == 1


def test_metrics_jsonl_has_the_same_figures_as_tensorboard(board, folder):
    """Each number of each line is the scalar of its split at its step, the test's one step later, so that a run that is
    gone on with from its last step can hide it; and no scalar is missing."""
    logged = {}
    for line in metrics(folder):
        step, split = line["step"], line["split"]
        for name, value in line.items():
            if name not in ("step", "epoch", "split") and not isinstance(value, list):
                logged[f"{split}/{name}", step + (split == "test")] = value
    scalars = {
        (tag, event.step): event.value for tag in board.Tags()["scalars"] for event in board.Scalars(tag)
    }
    assert logged.keys() == scalars.keys() and len(logged) > 50
    for key, value in logged.items():
        assert np.float32(value) == scalars[key], key


def test_metrics_say_step_epoch_and_split(folder):
    lines = metrics(folder)
    assert [line["step"] for line in lines if "learning_rate" in line] == [1, 2, 3, 4]
    assert [line["epoch"] for line in lines if "learning_rate" in line] == [0.5, 1, 1.5, 2]
    assert [line["step"] for line in lines if line["split"] == "validation"] == [2, 4]
    assert [line["split"] for line in lines].count("test") == 1 and lines[-1]["split"] == "test"
    for split in ("validation", "test"):
        last = [line for line in lines if line["split"] == split][-1]
        assert last["elbo"] == summary(folder)[split]["elbo"]


def test_the_saved_configuration_is_the_one_that_ran(folder):
    saved = yaml.safe_load((folder / ".hydra/config.yaml").read_text())
    assert saved["network"]["hidden"] == [16] and saved["data"]["train_size"] == 200
    assert yaml.safe_load((folder / ".hydra/overrides.yaml").read_text()) == [*TWO_EPOCHS, "log_every=1"]


def test_a_finished_run_goes_on_for_more_epochs(run, folder, tmp_path):
    """And says so, with the same lines as a new run; what was logged before stays."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    resumed = vae(f"resume={copy}", "epochs=3", cwd=tmp_path)
    assert resumed.returncode == 0 and resumed.stderr == ""
    lines = resumed.stdout.splitlines()
    assert lines[0].split() == ["epochs", "2", "→", "3;", "everything", "else", "is", "as", "before"]
    firsts = [line.split()[0] for line in lines[1:7]]
    assert firsts == ["device", "runtime", "data", "model", "code", "folder"]
    assert summary(copy)["status"] == "finished" and summary(copy)["epochs"] == 3
    before = [line for line in metrics(folder) if line["split"] != "test"]
    assert metrics(copy)[: len(before)] == before
    assert [line["step"] for line in metrics(copy) if "learning_rate" in line] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events(copy).Scalars("train/loss")] == [1, 2, 3, 4, 5, 6]
    assert yaml.safe_load((copy / ".hydra/config.yaml").read_text())["epochs"] == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["seed=3"], ["seed", "epochs can"]),
        (["optimizer.lr=0.1", "epochs=3"], ["optimizer.lr", "epochs can"]),
        (["epochs=0"], ["epochs=0", "a whole number from 1 to"]),
        (["epochs=lots"], ["epochs=lots", "a whole number from 1 to"]),
    ],
    ids=str,
)
def test_a_resumed_run_may_change_its_epochs_and_nothing_else(run, folder, arguments, words):
    line = assert_one_line(vae(f"resume={folder}", *arguments, cwd=run.cwd))
    assert all(word in line for word in words)
    assert summary(folder)["epochs"] == 2


def test_a_run_folder_of_another_configuration_is_refused_with_the_differences(run, folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    line = assert_one_line(vae(*RECTANGLES, "epochs=3", "seed=7", f"hydra.run.dir={folder}", cwd=run.cwd))
    assert "another configuration" in line and "seed was 0 and is 7" in line
    assert "log_every was 1 and is 50" in line and "epochs" not in line
    assert {path: path.read_bytes() for path in before} == before
