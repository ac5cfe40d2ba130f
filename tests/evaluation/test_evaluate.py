"""vae-eval as a user meets it: what it leaves in a run folder, what its figures say, and one line for bad input."""

import json
import math
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MNIST, SUBSET
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import vae_cli
from vae_cli.config.schema.commands import EvalConfig
from vae_cli.config.schema.keys import command_keys

VAE_EVAL = str(Path(sys.executable).with_name("vae-eval"))
QUICK = ["nll_samples=10", "probe=false", "pictures=[]"]
ALWAYS = {"curves", "reconstructions", "samples", "scatter", "interpolations", "traversals", "extremes"}
STOCHASTIC = {"rates", "likelihood", "bounds"}


def summary(folder: Path) -> dict:
    return json.loads((folder / "evaluation/summary.json").read_text())


def figures(folder: Path) -> dict[str, dict]:
    return summary(folder)["figures"]


def events(folder: Path) -> EventAccumulator:
    everything = dict.fromkeys(("scalars", "images", "tensors", "histograms"), 0)
    return EventAccumulator(str(folder), size_guidance=everything).Reload()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_done(run: subprocess.CompletedProcess) -> str:
    """Success in silence: what stands on the console is returned."""
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


def assert_one_line(run: subprocess.CompletedProcess, status: int = 2) -> str:
    """A failure: its exit status and one line on stderr, which is returned."""
    assert run.returncode == status, run.stderr
    assert "Traceback" not in run.stdout + run.stderr, run.stderr
    (line,) = run.stderr.splitlines()
    assert line.startswith("vae-eval: ")
    return line


@pytest.fixture(scope="module")
def bernoulli_console(bernoulli) -> str:
    """The one evaluation here that starts the installed command itself."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [VAE_EVAL, f"run={bernoulli}", "nll_samples=1000"],
        env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    return assert_done(done)


@pytest.fixture(scope="module")
def gaussian_console(command, gaussian) -> str:
    run = command(
        "vae-eval", f"run={gaussian}", "nll_samples=100", "samples=7", "classifier_epochs=1", "probe_images=200",
        cwd=gaussian.parent,
    )  # fmt: skip
    return assert_done(run)


@pytest.fixture(scope="module")
def deterministic_console(command, deterministic) -> str:
    return assert_done(
        command("vae-eval", f"run={deterministic}", "classifier_epochs=0", cwd=deterministic.parent)
    )


# --- what it leaves -----------------------------------------------------------------------------------------


def test_an_evaluation_leaves_its_folder_and_nothing_of_the_run_changes(
    bernoulli, original_bernoulli, bernoulli_console
):
    """Beside evaluation/ there are an event file and what the embedding projector reads, nothing hidden."""
    before, after = contents(original_bernoulli), contents(bernoulli)
    assert {name: after[name] for name in before} == before
    new = after.keys() - before.keys()
    pictures = {f"evaluation/{name}.png" for name in ALWAYS | STOCHASTIC | {"all_codes", "bits"}}
    assert {name for name in new if name.startswith("evaluation/")} == {
        "evaluation/summary.json", "evaluation/report.html", *pictures
    }  # fmt: skip
    others = {name for name in new if not name.startswith("evaluation/")}
    (event_file,) = (name for name in others if name.endswith(".evaluation"))
    assert others - {event_file} == {
        "projector_config.pbtxt", "00000/codes/tensors.tsv", "00000/codes/sprite.png"
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "deterministic"])
def test_every_figure_has_its_unit_number_error_and_meaning(request, kind):
    request.getfixturevalue(f"{kind}_console")
    folder = request.getfixturevalue(kind)
    found, n = figures(folder), {"bernoulli": 60}.get(kind, 100)
    assert found and summary(folder)["data"]["test_images"] == n
    for name, figure in found.items():
        assert set(figure) == {"value", "unit", "n", "standard_error", "meaning"}, name
        assert math.isfinite(figure["value"]) and figure["unit"] and figure["meaning"], name
        assert figure["standard_error"] is None or figure["standard_error"] >= 0, name
        assert figure["n"] == (len(summary(folder)["per_unit"]["rate"]) if name == "active_units" else n)
    assert ("nll" in found) == (kind != "deterministic")
    assert ("nll_exact" in found) == (kind == "bernoulli")
    assert ("code_logistic" in found) == (kind != "bernoulli")
    assert ("classifier_loss" in found) == (kind == "gaussian")


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_bounds_rise_with_samples_and_the_terms_add_up(request, kind):
    """elbo ≤ bound_10 ≤ … ≤ −nll; elbo = −(rate + distortion); rate ≈ I(x; z) + KL(q(z) ‖ p(z))."""
    request.getfixturevalue(f"{kind}_console")
    found = figures(request.getfixturevalue(kind))
    value = {name: figure["value"] for name, figure in found.items()}
    bounds = [value["elbo"], value["bound_10"], -value["nll"]]
    if kind == "bernoulli":
        bounds.insert(2, value["bound_100"])
    assert bounds == sorted(bounds) and bounds[0] < bounds[-1]
    assert value["elbo"] == pytest.approx(-value["rate"] - value["distortion"], rel=1e-6)
    parts = ("mutual_information", "marginal_kl", "rate")
    error = math.hypot(*(found[part]["standard_error"] for part in parts))
    assert abs(value["mutual_information"] + value["marginal_kl"] - value["rate"]) < 4 * error


def test_the_exact_likelihood_is_near_the_sampled_one_and_above_the_entropy(bernoulli, bernoulli_console):
    found = figures(bernoulli)
    exact, sampled, gap = found["nll_exact"], found["nll"], found["sampling_gap"]
    assert gap["value"] == pytest.approx(sampled["value"] - exact["value"], abs=1e-4)
    assert abs(gap["value"]) < 4 * gap["standard_error"] + 1e-3
    assert found["inference_gap"]["value"] > 0
    assert found["gap"]["value"] == pytest.approx(exact["value"] - found["entropy"]["value"])
    assert exact["value"] > found["entropy"]["value"]
    assert "exact" in found["gap"]["meaning"] and "64" in exact["meaning"]


def test_bits_are_reported_a_unit_at_a_time(bernoulli, bernoulli_console):
    per_unit, found = summary(bernoulli)["per_unit"], figures(bernoulli)
    assert sum(per_unit["rate"]) == pytest.approx(found["rate"]["value"], rel=1e-5)
    assert sum(per_unit["active"]) == found["active_units"]["value"]
    correlation = np.array(per_unit["correlation"])
    assert correlation.shape == (6, 6) and np.allclose(correlation, correlation.T)
    assert np.allclose(np.diag(correlation), 1) and np.abs(correlation).max() <= 1 + 1e-9
    largest = np.abs(correlation - np.diag(np.diag(correlation))).max()
    assert found["largest_correlation"]["value"] == pytest.approx(largest)
    assert all(0 <= on <= 1 for on in per_unit["on"])
    assert 1 <= found["distinct_codes"]["value"] <= 60
    assert found["code_entropy"]["value"] <= 6 * math.log(2) + 4 * found["code_entropy"]["standard_error"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bernoulli", ALWAYS | STOCHASTIC | {"all_codes", "bits"}),
        ("gaussian", ALWAYS | STOCHASTIC | {"class_samples", "plane"}),
        ("deterministic", ALWAYS | {"class_samples"}),
    ],
)
def test_every_picture_that_the_run_can_give_is_there_and_shows_something(request, kind, expected):
    request.getfixturevalue(f"{kind}_console")
    folder = request.getfixturevalue(kind) / "evaluation"
    assert {path.stem for path in folder.glob("*.png")} == expected
    html = (folder / "report.html").read_text()
    for name in expected:
        with Image.open(folder / f"{name}.png") as image:
            image.verify()
        pixels = np.asarray(Image.open(folder / f"{name}.png").convert("L"))
        assert pixels.std() > 1 and min(pixels.shape) > 50, name
        assert f'id="{name}"' in html
    assert html.count('src="data:image/png;base64,') == len(expected)


def test_tensorboard_has_the_figures_and_pictures(gaussian, gaussian_console):
    board, step = events(gaussian), summary(gaussian)["step"]
    (nll,) = board.Scalars("evaluation/nll")
    assert nll.step == step and nll.value == pytest.approx(figures(gaussian)["nll"]["value"], rel=1e-6)
    tags = {tag for tag in board.Tags()["scalars"] if tag.startswith("evaluation/")}
    assert tags == {f"evaluation/{name}" for name in figures(gaussian)}
    images = {tag.removeprefix("evaluation/") for tag in board.Tags()["images"] if tag.startswith("evalu")}
    assert images == ALWAYS | STOCHASTIC | {"class_samples", "plane"}
    assert "train/loss" in board.Tags()["scalars"]


def test_the_embedding_projector_finds_the_codes(bernoulli, bernoulli_console):
    config = (bernoulli / "projector_config.pbtxt").read_text()
    assert config.count("embeddings {") == 1
    for key in ("image_path", "tensor_path"):
        name = config.split(f'{key}: "')[1].split('"')[0]
        assert (bernoulli / name).stat().st_size > 0
    codes = np.loadtxt(bernoulli / "00000/codes/tensors.tsv")
    assert codes.shape == (60, 6) and codes.min() >= 0 and codes.max() <= 1


def test_samples_npz_holds_the_decoded_codes(gaussian, gaussian_console):
    with np.load(gaussian / "evaluation/samples.npz", allow_pickle=False) as file:
        images, codes = file["images"], file["codes"]
    assert images.shape == (7, 1, 28, 28) and codes.shape == (7, 2)
    model = vae_cli.load(gaussian, device="cpu")
    assert torch.allclose(model.decode(codes), torch.from_numpy(images), atol=1e-6)
    assert torch.equal(model.prior_codes(7, seed=0), torch.from_numpy(codes))


def test_the_console_names_the_figures_and_the_report(bernoulli, bernoulli_console):
    lines = bernoulli_console.splitlines()
    shown = next(line.split() for line in lines if line.split()[:1] == ["nll"])
    assert float(shown[1]) == pytest.approx(figures(bernoulli)["nll"]["value"], abs=6e-4)
    assert "nats/image" in shown
    for name in figures(bernoulli):
        assert any(line.strip().startswith(name.replace("_", " ")) for line in lines), name
    assert lines[-1].strip() == str(bernoulli / "evaluation/report.html")


def test_the_report_says_how_to_get_it_again(gaussian, gaussian_console):
    html = (gaussian / "evaluation/report.html").read_text()
    assert f"vae-eval run={gaussian} nll_samples=100" in html
    assert "vae-train" in html and "network.hidden=[16]" in html and "epochs=2" in html


# --- again, elsewhere, several ------------------------------------------------------------------------------


def test_a_second_evaluation_is_the_same_and_replaces_the_first(command, bernoulli, bernoulli_console):
    first = summary(bernoulli)
    (bernoulli / "evaluation/leftover.txt").write_text("of before")
    console = assert_done(
        command("vae-eval", f"run={bernoulli}", "nll_samples=1000", cwd=bernoulli.parent)
    )  # fmt: skip
    again = summary(bernoulli)
    assert first.pop("seconds") > 0 and again.pop("seconds") > 0
    assert again == first
    assert not (bernoulli / "evaluation/leftover.txt").exists()
    assert len(list(bernoulli.glob("*.evaluation"))) == 1
    assert len(events(bernoulli).Scalars("evaluation/nll")) == 1
    assert {path.name for path in bernoulli.glob(".*")} <= {".hydra", ".lock"}
    assert console == bernoulli_console


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
    assert run.returncode == 0 and run.stderr == ""
    assert figures(tmp_path / "bernoulli")["nll"] and figures(tmp_path / "deterministic")["distortion"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bernoulli", "deterministic"]


def test_seed_and_limit_change_what_they_say(command, original_bernoulli, tmp_path):
    folder, found = Path(shutil.copytree(original_bernoulli, tmp_path / "run")), []
    for arguments in (["seed=1"], ["seed=2"], ["seed=2", "test_images=10"]):
        assert_done(command("vae-eval", f"run={folder}", *QUICK, *arguments, cwd=tmp_path))
        found.append(figures(folder)["nll"])
    assert found[0] != found[1] and [figure["n"] for figure in found] == [60, 60, 10]
    assert abs(found[0]["value"] - found[1]["value"]) < found[0]["standard_error"]


# --- runs that are not as one expects -----------------------------------------------------------------------


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
        old = json.loads((folder / "summary.json").read_text())
        (folder / "summary.json").write_text(json.dumps(old | {"status": status}))
    console = assert_done(command("vae-eval", "run=run", *QUICK, f"checkpoint={checkpoint}", cwd=tmp_path))
    found, word = summary(folder), status or "unfinished"
    assert found["status"] == word and found["checkpoint"] == checkpoint
    (notice,) = found["notices"]
    assert f"the run is {word}" in notice and checkpoint in notice and f"{found['step']:,}" in notice
    assert notice in console and notice in (folder / "evaluation/report.html").read_text()


def test_a_run_without_its_best_checkpoint_is_judged_by_its_last(command, original_bernoulli, tmp_path):
    folder = Path(shutil.copytree(original_bernoulli, tmp_path / "run"))
    (folder / "checkpoints/best.pt").unlink()
    console = assert_done(command("vae-eval", "run=run", *QUICK, cwd=tmp_path))
    found = summary(folder)
    assert found["checkpoint"] == "last"
    (notice,) = found["notices"]
    assert "best checkpoint" in notice and notice in console


def test_a_class_that_was_left_out_is_looked_for(command, trained):
    """No 4 among the test images; those of the whole test split are the anomalies."""
    folder = trained("without", *MNIST, "data.exclude_classes=[4]", "latent.code_size=2", "batch_size=20")
    run = command(
        "vae-eval", f"run={folder}", "anomaly=digit_4", "nll_samples=10", "probe=false", "pictures=[anomaly]",
        cwd=folder.parent,
    )  # fmt: skip
    console = assert_done(run)
    labels = np.frombuffer((SUBSET / "MNIST/raw/t10k-labels-idx1-ubyte").read_bytes()[8:], np.uint8)
    fours = int((labels == 4).sum())
    found = figures(folder)
    assert fours and found["nll"]["n"] == 100 - fours and found["anomaly_nll"]["n"] == fours
    assert found["auroc"]["n"] == 100 and 0 <= found["auroc"]["value"] <= 1
    assert found["auroc"]["standard_error"] > 0 and "digit_4" in found["auroc"]["meaning"]
    assert "auroc" in console and (folder / "evaluation/anomaly.png").exists()


def test_another_data_set_is_made_at_the_runs_size(command, original_gaussian, original_bernoulli, tmp_path):
    """Rectangles at 28 × 28 for a run on digits, squares at 24 × 24 for one on rectangles."""
    for original, anomaly, limit in (
        (original_gaussian, "rectangles", 30),
        (original_bernoulli, "squares", 20),
    ):
        folder = Path(shutil.copytree(original, tmp_path / anomaly))
        arguments = [*QUICK, f"anomaly={anomaly}", f"test_images={limit}"]
        assert_done(command("vae-eval", f"run={folder}", *arguments, cwd=tmp_path))
        auroc = figures(folder)["auroc"]
        assert auroc["n"] == 2 * limit and 0 <= auroc["value"] <= 1 and anomaly in auroc["meaning"]


@pytest.mark.parametrize("name", ["noise.npy", "noise.npz"])
def test_images_of_a_file_are_told_apart(command, original_gaussian, tmp_path, name):
    """Noise is nothing that a model of digits expects."""
    folder = Path(shutil.copytree(original_gaussian, tmp_path / "run"))
    noise = np.random.default_rng(0).random((40, 28, 28)) > 0.5
    if name.endswith("npy"):
        np.save(tmp_path / name, noise)
    else:
        np.savez(tmp_path / name, images=noise)
    run = command("vae-eval", "run=run", *QUICK, f"anomaly={name}", "test_images=30", cwd=tmp_path)
    assert_done(run)
    assert figures(folder)["auroc"]["value"] > 0.95


@pytest.mark.parametrize("original", ["original_bernoulli", "original_deterministic"])
def test_one_image_is_enough(request, command, tmp_path, original):
    folder = Path(shutil.copytree(request.getfixturevalue(original), tmp_path / "run"))
    run = command("vae-eval", "run=run", "nll_samples=10", "probe=false", "test_images=1", cwd=tmp_path)
    assert_done(run)
    found = figures(folder)["distortion"]
    assert found["n"] == 1 and found["standard_error"] is None


def test_test_labels_of_one_class_are_no_reason_to_fail(command, original_gaussian, tmp_path):
    """probe=auto on the first image alone; it may leave the probes out or say why not in one line."""
    shutil.copytree(original_gaussian, tmp_path / "run")
    arguments = ["nll_samples=10", "test_images=1", "pictures=[]", "classifier_epochs=0"]
    run = command("vae-eval", "run=run", *arguments, cwd=tmp_path)
    if run.returncode:
        assert_one_line(run)
    assert "Traceback" not in run.stderr


# --- help ---------------------------------------------------------------------------------------------------


def test_help_names_every_key_and_picture_without_waiting_for_torch(tmp_path):
    run = subprocess.run(
        [sys.executable, "-X", "importtime", VAE_EVAL, "--help"], cwd=tmp_path, capture_output=True, text=True
    )  # fmt: skip
    assert run.returncode == 0 and len(run.stdout.splitlines()) < 60
    for name in command_keys(EvalConfig):
        assert name in run.stdout, name
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "vae_cli.config.compose" in imported and "torch" not in imported
    assert list(tmp_path.iterdir()) == []


# --- what bad input gets ------------------------------------------------------------------------------------


def assert_refused(command, folder: Path, *arguments: str, words: tuple[str, ...]) -> None:
    """One line with these words, and nothing in the run folder or beside it has changed."""
    before = contents(folder.parent)
    line = assert_one_line(command("vae-eval", f"run={folder}", *arguments, cwd=folder.parent))
    assert all(word in line for word in words), line
    assert contents(folder.parent) == before


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("exact=true", ("exact=true", "a discrete code", "20 bits", "latent=gaussian", "latent.code_size=2")),
        ("pictures=[bits]", ("pictures=bits", "latent=bernoulli")),
        ("pictures=[anomaly]", ("pictures=anomaly", "anomaly=DATA")),
        ("anomaly=nothing", ("'nothing'", "allowed are", "rectangles")),
        ("anomaly=fashion_mnits", ("did you mean 'fashion_mnist'",)),
        ("anomaly=digit_4", ("anomaly=digit_4", "was trained on that class", "data.exclude_classes=[4]")),
        ("anomaly=nowhere.npz", ("anomaly=nowhere.npz", "does not exist")),
        ("interpolate=[[0,100000]]", ("interpolate", "100000", "0 to 99")),
        ("interpolate=[[0,1,2]]", ("interpolate=[[0, 1, 2]]", "a list of 2 values")),
        ("nll_samples=0", ("nll_samples=0", "a whole number of at least 1")),
        ("nll_samples=many", ("nll_samples=many", "a whole number of at least 1")),
        ("samples=-1", ("samples=-1", "a whole number of at least 0")),
        ("probe_image=10", ("'probe_image'", "did you mean 'probe_images'")),
        ("pictures=[plain]", ("pictures=[plain]", "allowed is", "did you mean 'plane'")),
        ("pictures=plane", ("pictures=plane", "a list of")),
        ("checkpoint=first", ("checkpoint=first", "best, last")),
        ("device=cuda", ("device=cuda", "no CUDA", "auto, cpu")),
        ("device=tpu", ("device=tpu", "auto, cpu, cuda")),
        ("--samples=5", ("--samples", "key=value", "did you mean 'samples'")),
        ("data.root=nowhere", ("nowhere/MNIST/raw", "data.root=")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_key_or_value_is_one_line(command, original_gaussian, argument, words):
    assert_refused(command, original_gaussian, argument, words=words)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("probe=true", ("probe=true", "labelled data")),
        ("pictures=[class_samples]", ("pictures=class_samples", "labelled data")),
        ("pictures=[plane]", ("pictures=plane", "latent=gaussian with latent.code_size=2")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_rectangles_and_bits_cannot_give_is_one_line(command, original_bernoulli, argument, words):
    assert_refused(command, original_bernoulli, argument, words=words)


@pytest.mark.parametrize(
    "argument", ["samples=5", "anomaly=rectangles", "exact=true", "pictures=[likelihood]"]
)
def test_what_needs_a_likelihood_is_refused_for_a_plain_auto_encoder(
    command, original_deterministic, argument
):
    asked = argument.strip("]").replace("[", "")
    assert_refused(command, original_deterministic, argument, words=(asked, "needs", "latent=deterministic"))


def test_an_earlier_evaluation_survives_a_refused_one(command, gaussian, gaussian_console):
    assert_refused(command, gaussian, "anomaly=nothing", words=("'nothing'",))
    assert (gaussian / "evaluation/summary.json").exists()


def test_more_than_twenty_bits_are_not_enumerated(command, trained):
    """Not when asked for, and not by itself."""
    folder = trained("many", "latent=bernoulli", "latent.code_size=21", "data.train_size=50",
                     "data.validation_size=20", "data.test_size=20")  # fmt: skip
    words = ("exact=true", "at most 1,048,576 values", "latent=bernoulli", "latent.code_size=21")
    assert_refused(command, folder, "exact=true", words=words)
    assert_refused(command, folder, "pictures=[all_codes]", words=("at most 8 units",))
    assert_done(command("vae-eval", f"run={folder}", *QUICK, cwd=folder.parent))
    assert "nll" in figures(folder) and "nll_exact" not in figures(folder)


def test_a_folder_that_is_no_run_is_one_line(command, tmp_path):
    for arguments, words in (
        ([], ("run must be given", "run=VALUE")),
        (["run=nowhere"], ("nowhere is no run folder", ".hydra/config.yaml")),
        (["run=."], ("is no run folder",)),
        (["run=null"], ("run=null", "a text")),
    ):
        line = assert_one_line(command("vae-eval", *arguments, cwd=tmp_path))
        assert all(word in line for word in words), line
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_whole_checkpoint_is_one_line(command, original_bernoulli, tmp_path):
    folder = Path(shutil.copytree(original_bernoulli, tmp_path / "run"))
    best = folder / "checkpoints/best.pt"
    whole = best.read_bytes()
    best.write_bytes(whole[: len(whole) // 2])
    assert_refused(command, folder, words=("best.pt", "truncated"))
    best.write_bytes(b"")
    assert_refused(command, folder, words=("best.pt", "truncated"))
    shutil.rmtree(folder / "checkpoints")
    assert_refused(command, folder, words=("best.pt", "no checkpoint"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wide.npz", ("anomaly=wide.npz", "[0, 1]", "1.5")),
        ("small.npz", ("anomaly=small.npz", "1×14×14", "1×28×28")),
        ("objects.npy", ("objects.npy", "Python objects")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_do_not_fit_the_model_are_one_line(command, original_gaussian, tmp_path, name, words):
    """Values outside [0, 1], images of another size, objects in the file."""
    np.savez(tmp_path / "wide.npz", images=np.linspace(0, 1.5, 20 * 784).reshape(20, 28, 28))
    np.savez(tmp_path / "small.npz", images=np.zeros((20, 14, 14)))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    folder = Path(shutil.copytree(original_gaussian, tmp_path / "run"))
    assert_refused(command, folder, f"anomaly={name}", words=words)


def test_a_data_set_of_another_size_is_one_line(command, original_bernoulli, tmp_path):
    """MNIST for images of 24 × 24; it has more training images than the 10,000 of data.validation_size."""
    raw = tmp_path / "root/MNIST/raw"
    raw.mkdir(parents=True)
    for split, n in (("train", 10_010), ("t10k", 10)):
        images = struct.pack(">4I", 2051, n, 28, 28) + bytes(n * 784)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(images)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, n) + bytes(n))
    folder = Path(shutil.copytree(original_bernoulli, tmp_path / "run"))
    words = ("anomaly=mnist", "1×28×28", "1×24×24")
    assert_refused(command, folder, "anomaly=mnist", f"data.root={tmp_path}/root", words=words)


@pytest.mark.parametrize(
    "argument",
    [
        "data=null",
        "data.seed=3",
        "data=mnist",
    ],
)
def test_what_only_vae_train_has_is_not_suggested(command, original_bernoulli, tmp_path, argument):
    key = argument.partition("=")[0]
    line = assert_one_line(command("vae-eval", f"run={original_bernoulli}", argument, cwd=tmp_path))
    assert f"did you mean {key!r}" not in line


def test_each_failed_member_of_several_is_named_in_one_line(command, tmp_path):
    """At once, before Hydra's own lines, which are of the first alone."""
    arguments = ["-m", "run=elsewhere,nowhere", "samples=1"]
    done = command("vae-eval", *arguments, cwd=tmp_path)
    first, second, hydras, last = done.stderr.splitlines()
    assert done.returncode == 2 and "Traceback" not in done.stdout
    assert (
        first == "vae-eval run=elsewhere samples=1: elsewhere is no run folder: it has no .hydra/config.yaml"
    )
    assert second == "vae-eval run=nowhere samples=1: nowhere is no run folder: it has no .hydra/config.yaml"
    assert hydras.startswith("Error executing job with overrides: ") and last.startswith(
        "vae-eval: elsewhere is no run"
    )


def test_a_broken_summary_of_the_run_is_no_reason_to_fail(command, original_bernoulli, tmp_path):
    """JSON that is no object, and bytes that are no text."""
    folder = Path(shutil.copytree(original_bernoulli, tmp_path / "run"))
    for content in (b"{", b"{}", b"[]", b"\xff\xfe"):
        (folder / "summary.json").write_bytes(content)
        assert_done(command("vae-eval", "run=run", *QUICK, cwd=tmp_path))
        assert summary(folder)["status"] == "unreadable"
