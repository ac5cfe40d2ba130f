"""vae-train as a user meets it: a subprocess in an empty folder, its run folder, and one line for every bad input."""

import json
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vae_cli.data.mnist import IDX_FILES
from vae_cli.runs.checkpoint import load

VAE_TRAIN = [str(Path(sys.executable).with_name("vae-train"))]
SUBSET = Path(__file__).parents[1] / "data"
TINY = ["network.hidden=[16]", "nll_samples=5"]
RECTANGLES = [*TINY, "data.train_size=200", "data.validation_size=50", "data.test_size=50"]
TWO_EPOCHS = [*RECTANGLES, "epochs=2"]

ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("VAE_CLI_DATA", "HYDRA_FULL_ERROR")
}
ENVIRONMENT |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
ENVIRONMENT |= {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}  # no network
ENVIRONMENT |= {"no_proxy": ""}


def vae(
    *arguments: str, cwd: Path, command: list[str] = VAE_TRAIN, **environment: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*command, *arguments], cwd=cwd, env=ENVIRONMENT | environment, capture_output=True, text=True, timeout=240
    )  # fmt: skip


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def events(folder: Path) -> EventAccumulator:
    everything = dict.fromkeys(("scalars", "images", "tensors", "histograms"), 0)
    return EventAccumulator(str(folder), size_guidance=everything).Reload()


def assert_one_line(run: subprocess.CompletedProcess, status: int = 2) -> str:
    """A failure: its exit status and one line on stderr, which is returned."""
    assert run.returncode == status, run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    (line,) = run.stderr.splitlines()
    assert line.startswith("vae-train: ")
    return line


# --- a run with its defaults --------------------------------------------------------------------------------


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
        (["epochs=0"], ["epochs=0", "a whole number of at least 1"]),
        (["epochs=lots"], ["epochs=lots", "a whole number of at least 1"]),
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


# --- other kinds of run -------------------------------------------------------------------------------------


def test_python_m_vae_cli_with_a_users_own_option(tmp_path):
    """`python -m vae_cli` is vae-train; --config-dir adds options; here Bernoulli codes, and data.limit."""
    (tmp_path / "mine/optimizer").mkdir(parents=True)
    (tmp_path / "mine/optimizer/fast.yaml").write_text("defaults: [adam]\nname: fast\nlr: 0.0123\n")
    run = vae(
        "--config-dir", "mine", "optimizer=fast", "latent=bernoulli", *TWO_EPOCHS, "data.limit=150", "name=my/runs",
        cwd=tmp_path, command=[sys.executable, "-m", "vae_cli"],
    )  # fmt: skip
    assert run.returncode == 0 and run.stderr == ""
    (folder,) = (tmp_path / "outputs/my/runs").iterdir()
    assert "150/50/50 images" in run.stdout and "bernoulli, 25 units, estimator concrete" in run.stdout
    train = [line for line in metrics(folder) if "learning_rate" in line]
    assert {line["learning_rate"] for line in train} == {0.0123}
    assert {line["temperature"] for line in train} == {1.0}
    # what was optimized, and beside it the bound with hard samples: two numbers, both logged
    assert all(abs(line["loss"] + line["elbo"]) > 1e-6 for line in train)
    assert summary(folder)["status"] == "finished" and summary(folder)["test"]["nll"] > 0


def test_a_plain_auto_encoder_of_grey_digits(tmp_path):
    """No likelihood, so no nll and no gap; grey pixels under likelihood=bernoulli bring exactly one warning."""
    run = vae(
        "latent=deterministic", "data=mnist", f"data.root={SUBSET}", "data.validation_size=100", *TINY, "epochs=1",
        "hydra.run.dir=here", cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0 and run.stderr == ""
    assert run.stdout.count("cross-entropy") == 1
    assert "300/100/100 images of 1×28×28" in run.stdout
    found = summary(tmp_path / "here")
    assert found["status"] == "finished" and found["test"]["rate"] == 0 and "nll" not in found["test"]
    assert found["data"]["entropy"] is None and found["data"]["gap"] is None
    assert found["test"]["elbo"] == -found["test"]["distortion"]


def test_a_sweep_leaves_a_folder_each_and_again_trains_nothing(tmp_path):
    sweep = ["-m", "latent.code_size=2,3", "name=sizes", *TWO_EPOCHS]
    first = vae(*sweep, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    folders = sorted(path.parent for path in (tmp_path / "outputs/sizes").glob("*/summary.json"))
    assert len(folders) == 2
    for size, folder in zip((2, 3), folders, strict=True):
        assert f",code_size={size}," in folder.name
        assert yaml.safe_load((folder / ".hydra/config.yaml").read_text())["latent"]["code_size"] == size
        assert summary(folder)["status"] == "finished"
    keep = ("metrics.jsonl", "summary.json", "last.pt", "best.pt", "samples.png")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.name in keep}
    assert len(before) == 10
    again = vae(*sweep, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.count(", before  [") == 2
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.name in keep} == before
    assert len(list(tmp_path.rglob("events.out.*"))) == 2


def test_a_loss_that_diverges_stops_the_run(tmp_path):
    """Exit 1; status, step, term and epoch named; the checkpoints of before stay."""
    run = vae(
        *TWO_EPOCHS, "likelihood=unit_gaussian", "optimizer=sgd", "optimizer.lr=1", "checkpoint.epochs=1",
        "hydra.run.dir=here", cwd=tmp_path,
    )  # fmt: skip
    line = assert_one_line(run, status=1)
    named = re.search(r"(loss|rate|distortion|gradient norm) is (nan|-?inf) at step (\d), epoch (\d)", line)
    assert named and 2 < int(named[3]) <= 4 and named[4] == "2"
    found = summary(tmp_path / "here")
    assert found["status"] == "diverged" and named[0] in found["error"]
    assert named[0] in (tmp_path / "here/train.log").read_text()
    for name in ("last", "best"):
        saved = load(tmp_path / f"here/checkpoints/{name}.pt")
        assert saved["step"] == 2 and all(value.isfinite().all() for value in saved["model"].values())


# --- a run that is interrupted ------------------------------------------------------------------------------


def wait_for(condition: Callable[[], object], process: subprocess.Popen, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end and process.poll() is None, "it did not happen"
        time.sleep(0.05)


@contextmanager
def training(*command: str, folder: Path) -> Iterator[subprocess.Popen]:
    """A process that has trained for some steps, more than its folder had seen."""
    process = subprocess.Popen(
        command, cwd=folder.parent, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        file = folder / "metrics.jsonl"
        seen = file.read_text().count("\n") if file.exists() else 0
        wait_for(lambda: file.exists() and file.read_text().count("\n") > seen + 5, process)
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen, how: signal.Signals, folder: Path) -> list[str]:
    """Exit 130, one line, a checkpoint of the last step; returns the command that goes on with it."""
    process.send_signal(how)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    (line,) = errors.splitlines()
    said, _, command = line.partition("; go on with: ")
    assert said == "vae-train: interrupted"
    found = summary(folder)
    assert found["status"] == "interrupted"
    assert load(folder / "checkpoints/last.pt")["step"] == found["steps"]
    steps = [line["step"] for line in metrics(folder) if "learning_rate" in line]
    assert steps == list(range(1, found["steps"] + 1))
    return shlex.split(command)


def test_an_interrupted_run_keeps_a_checkpoint_and_says_how_to_go_on(tmp_path):
    """By SIGTERM and by SIGINT; the command that it prints works as it stands; and while it runs, another
    process is refused."""
    folder = tmp_path / "a run"
    arguments = [
        *RECTANGLES,
        "epochs=100000",
        "log_every=1",
        "validate_every=1000",
        f"hydra.run.dir='{folder}'",
    ]
    with training(*VAE_TRAIN, *arguments, folder=folder) as process:
        line = assert_one_line(vae(*arguments, cwd=tmp_path))
        assert str(folder) in line and "another process" in line and f"pid {process.pid} " in line
        command = stop(process, signal.SIGTERM, folder)
    steps = summary(folder)["steps"]
    assert command == ["vae-train", f"resume={folder}"]
    with training(*VAE_TRAIN, *command[1:], folder=folder) as process:
        assert stop(process, signal.SIGINT, folder) == command
    assert summary(folder)["steps"] > steps


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_saves_its_member_and_starts_no_other(tmp_path, how):
    sweep = ["-m", "latent.code_size=2,3", "name=s", *RECTANGLES, "log_every=1", "validate_every=1000"]
    folder = tmp_path / "outputs/s"
    process = subprocess.Popen(
        [*VAE_TRAIN, *sweep, "epochs=3000"], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(
            lambda: [f for f in folder.glob("*/metrics.jsonl") if f.read_text().count("\n") > 5], process
        )
        process.send_signal(how)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors == "vae-train: interrupted; the same command continues the sweep\n"
    (member,) = folder.glob("*/")
    assert summary(member)["status"] == "interrupted" and (member / "checkpoints/last.pt").exists()
    assert "interrupted: " in output and str(member) in output


# --- help ---------------------------------------------------------------------------------------------------


def test_help_names_every_group_and_option_and_the_main_keys(tmp_path):
    run = vae("--help", cwd=tmp_path)
    assert run.returncode == 0 and run.stderr == ""
    configs = Path(__file__).parents[2] / "configs"
    for group in (path for path in configs.iterdir() if path.is_dir() and path.name != "hydra"):
        listed = re.search(rf"^  {group.name} +((?:.*\n)(?: {{10,}}.*\n)*)", run.stdout, re.MULTILINE)
        assert listed, group.name
        options = {option.split()[0] for option in listed[1].replace("\n", " ").split(",")}
        assert options == {path.stem for path in group.glob("*.yaml")}
    keys = ("latent.code_size", "network.hidden", "objective.beta", "objective.samples",
            "optimizer.lr", "data.limit", "data.root", "epochs", "batch_size", "seed", "device", "name",
            "resume", "experiment=", "-m ")  # fmt: skip
    for key in keys:
        assert key in run.stdout, key
    assert list(tmp_path.iterdir()) == []


# --- what bad input gets ------------------------------------------------------------------------------------

CONFIGURATION_ERRORS = [
    ("latent=bernouli", ["latent=bernouli", "bernoulli, categorical, deterministic, gaussian", "did you mean 'bernoulli'"]),
    ("experiment=nothing", ["experiment=nothing", "allowed are", "bernoulli_squares"]),
    ("latent.code_sise=3", ["'latent.code_sise'", "did you mean 'latent.code_size'"]),
    ("optimiser=adam", ["'optimiser'", "did you mean 'optimizer'"]),
    ("latent.code_size=two", ["latent.code_size=two", "a whole number of at least 1"]),
    ("latent.code_size=0", ["latent.code_size=0", "a whole number of at least 1"]),
    ("latent=bernoulli latent.temperature=0", ["latent.temperature=0", "a number above 0"]),
    ("optimizer.lr=-1", ["optimizer.lr=-1", "a number above 0"]),
    ("epochs=0", ["epochs=0", "a whole number of at least 1"]),
    ("estimator=concrete", ["estimator=concrete", "latent=gaussian", "pathwise, reinforce"]),
    ("data=arrays", ["data.path must be given", "data.path=VALUE"]),
    ("epochs", ["'epochs'", "key=value"]),
    ("--epochs=3", ["--epochs", "key=value"]),
    ("-m --cfg job seed=1,2", ["--cfg", "leave -m out"]),
    ("+epochs=3", ["epochs exists", "without the leading +"]),
    ("~epochs", ["epochs must be given", "epochs=VALUE"]),
    ("~latent", ["latent must be given", "latent=OPTION"]),
    ("seed=1,2", ["seed=1,2", "--multirun"]),
    ("name=../elsewhere", ["name=../elsewhere", "without '..'"]),
    ("resume=nowhere", ["nowhere is no run folder", ".hydra/config.yaml"]),
    ("--config-dir nowhere", ["nowhere", "not found"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"), CONFIGURATION_ERRORS, ids=[a for a, _ in CONFIGURATION_ERRORS]
)
def test_a_configuration_error_is_one_line_and_leaves_no_folder(tmp_path, arguments, words):
    """It names the key, the value, what is allowed and, for a typo, the nearest name."""
    run = vae(*arguments.split(), cwd=tmp_path)
    line = assert_one_line(run)
    assert all(word in line for word in words), line
    assert run.stdout == "" and list(tmp_path.iterdir()) == []


def test_a_traceback_is_there_for_who_asks(tmp_path):
    run = vae("latent.code_sise=3", cwd=tmp_path, HYDRA_FULL_ERROR="1")
    assert run.returncode != 0 and "Traceback" in run.stderr


def test_an_output_folder_that_cannot_be_is_named(tmp_path):
    """A folder below a regular file."""
    (tmp_path / "file").write_text("")
    run = vae("hydra.run.dir=file/below", cwd=tmp_path)
    assert "file/below" in assert_one_line(run, status=1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def without_files(folder: Path) -> list[str]:
    return ["data=mnist", "data.root=root"]


def with_a_truncated_file(folder: Path) -> list[str]:
    shutil.copytree(SUBSET / "MNIST", folder / "root/MNIST")
    file = folder / "root/MNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    return ["data=mnist", "data.root=root"]


def outside_the_support(folder: Path) -> list[str]:
    np.savez(folder / "images.npz", images=np.linspace(0, 1.5, 160).reshape(20, 2, 4))
    return ["data=arrays", "data.path=images.npz"]


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (without_files, ["root/MNIST/raw", *IDX_FILES, "data.root="]),
        (with_a_truncated_file, ["root/MNIST/raw/train-images-idx3-ubyte", "313615 bytes", "313616"]),
        (outside_the_support, ["likelihood=bernoulli", "[0, 1]", "[0, 1.5]", "likelihood=gaussian"]),
    ],
)
def test_what_only_the_data_can_show_is_one_line_too(tmp_path, prepare, words):
    """And it leaves no run folder and no half-written data file."""
    arguments = prepare(tmp_path)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    line = assert_one_line(vae(*arguments, "hydra.run.dir=here", cwd=tmp_path))
    assert all(word in line for word in words), line
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "here").exists()
