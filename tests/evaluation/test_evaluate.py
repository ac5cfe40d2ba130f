"""What an evaluation leaves in a run folder, and what its figures say."""

import math

import numpy as np
import pytest
import torch
from evaluation.outcome import ALWAYS, WITH_PRIOR, contents, events, figures, summary
from models.tables import DISCRETE
from PIL import Image

import vae_cli


def test_an_evaluation_leaves_its_folder_and_nothing_of_the_run_changes(evaluated, original_bernoulli):
    """Only evaluation/, an event file and the files of the embedding projector are new; no hidden file is."""
    before, after = contents(original_bernoulli), contents(evaluated("bernoulli").folder)
    assert {name: after[name] for name in before} == before
    new = after.keys() - before.keys()
    pictures = {f"evaluation/{name}.png" for name in ALWAYS | WITH_PRIOR | {"all_codes", "bits"}}
    assert {name for name in new if name.startswith("evaluation/")} == {
        "evaluation/summary.json", "evaluation/report.html", *pictures
    }  # fmt: skip
    others = {name for name in new if not name.startswith("evaluation/")}
    (event_file,) = (name for name in others if name.endswith(".evaluation"))
    assert others - {event_file} == {
        "projector_config.pbtxt", "00000/codes/tensors.tsv", "00000/codes/sprite.png"
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["bernoulli", "categorical", "gaussian", "deterministic"])
def test_every_figure_has_its_unit_number_error_and_meaning(evaluated, kind):
    folder = evaluated(kind).folder
    found, n = figures(folder), 60 if kind in DISCRETE else 100
    assert found and summary(folder)["data"]["test_images"] == n
    for name, figure in found.items():
        assert set(figure) == {"value", "unit", "n", "standard_error", "meaning"}, name
        assert math.isfinite(figure["value"]) and figure["unit"] and figure["meaning"], name
        assert figure["standard_error"] is None or figure["standard_error"] >= 0, name
        assert figure["n"] == (len(summary(folder)["per_unit"]["rate"]) if name == "active_units" else n)
    assert ("nll" in found) == (kind != "deterministic")
    assert ("nll_exact" in found) == (kind in DISCRETE)
    assert ("code_logistic" in found) == (kind not in DISCRETE)
    assert ("classifier_loss" in found) == (kind == "gaussian")


@pytest.mark.parametrize("kind", ["bernoulli", "categorical", "gaussian"])
def test_bounds_rise_with_samples_and_the_terms_add_up(evaluated, kind):
    """elbo ≤ bound_10 ≤ … ≤ −nll; elbo = −(rate + distortion); rate ≈ I(x; z) + KL(q(z) ‖ p(z))."""
    found = figures(evaluated(kind).folder)
    value = {name: figure["value"] for name, figure in found.items()}
    bounds = [value["elbo"], value["bound_10"], -value["nll"]]
    if kind == "bernoulli":
        bounds.insert(2, value["bound_100"])
    assert bounds == sorted(bounds) and bounds[0] < bounds[-1]
    assert value["elbo"] == pytest.approx(-value["rate"] - value["distortion"], rel=1e-6)
    parts = ("mutual_information", "marginal_kl", "rate")
    error = math.hypot(*(found[part]["standard_error"] for part in parts))
    assert abs(value["mutual_information"] + value["marginal_kl"] - value["rate"]) < 4 * error


def test_the_exact_likelihood_is_near_the_sampled_one_and_above_the_entropy(evaluated):
    folder = evaluated("bernoulli").folder
    found = figures(folder)
    exact, sampled, gap = found["nll_exact"], found["nll"], found["sampling_gap"]
    assert gap["value"] == pytest.approx(sampled["value"] - exact["value"], abs=1e-4)
    assert abs(gap["value"]) < 4 * gap["standard_error"] + 1e-3
    assert found["inference_gap"]["value"] > 0
    assert found["gap"]["value"] == pytest.approx(exact["value"] - found["entropy"]["value"])
    assert exact["value"] > found["entropy"]["value"]
    assert "exact" in found["gap"]["meaning"] and "64" in exact["meaning"]


def test_bits_are_reported_for_each_unit(evaluated):
    folder = evaluated("bernoulli").folder
    per_unit, found = summary(folder)["per_unit"], figures(folder)
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


def test_the_values_of_categories_are_reported_for_each_unit(evaluated):
    """Bits keep their own keys, `on` and `correlation`."""
    folder = evaluated("categorical").folder
    per_unit, found = summary(folder)["per_unit"], figures(folder)
    assert sum(per_unit["rate"]) == pytest.approx(found["rate"]["value"], rel=1e-5)
    frequencies, association = np.array(per_unit["frequencies"]), np.array(per_unit["association"])
    assert frequencies.shape == (2, 3) and np.allclose(frequencies.sum(1), 1) and frequencies.min() >= 0
    assert association.shape == (2, 2) and np.allclose(np.diag(association), 1)
    assert found["largest_correlation"]["value"] == pytest.approx(association[0, 1])
    assert not {"on", "correlation"} & per_unit.keys()
    assert found["code_entropy"]["value"] <= 2 * math.log(3) + 4 * found["code_entropy"]["standard_error"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bernoulli", ALWAYS | WITH_PRIOR | {"all_codes", "bits"}),
        ("categorical", ALWAYS | WITH_PRIOR | {"all_codes", "bits"}),
        ("gaussian", ALWAYS | WITH_PRIOR | {"class_samples", "plane"}),
        ("deterministic", ALWAYS | {"class_samples"}),
    ],
)
def test_every_picture_that_the_run_can_give_is_there_and_shows_something(evaluated, kind, expected):
    folder = evaluated(kind).folder / "evaluation"
    assert {path.stem for path in folder.glob("*.png")} == expected
    html = (folder / "report.html").read_text()
    for name in expected:
        with Image.open(folder / f"{name}.png") as image:
            image.verify()
        pixels = np.asarray(Image.open(folder / f"{name}.png").convert("L"))
        assert pixels.std() > 1 and min(pixels.shape) > 50, name
        assert f'id="{name}"' in html
    assert html.count('src="data:image/png;base64,') == len(expected)


def test_tensorboard_has_the_figures_and_pictures(evaluated):
    folder = evaluated("gaussian").folder
    board, step = events(folder), summary(folder)["step"]
    (nll,) = board.Scalars("evaluation/nll")
    assert nll.step == step and nll.value == pytest.approx(figures(folder)["nll"]["value"], rel=1e-6)
    tags = {tag for tag in board.Tags()["scalars"] if tag.startswith("evaluation/")}
    assert tags == {f"evaluation/{name}" for name in figures(folder)}
    images = {tag.removeprefix("evaluation/") for tag in board.Tags()["images"] if tag.startswith("evalu")}
    assert images == ALWAYS | WITH_PRIOR | {"class_samples", "plane"}
    assert "train/loss" in board.Tags()["scalars"]


def test_the_embedding_projector_finds_the_codes(evaluated):
    folder = evaluated("bernoulli").folder
    config = (folder / "projector_config.pbtxt").read_text()
    assert config.count("embeddings {") == 1
    for key in ("image_path", "tensor_path"):
        name = config.split(f'{key}: "')[1].split('"')[0]
        assert (folder / name).stat().st_size > 0
    codes = np.loadtxt(folder / "00000/codes/tensors.tsv")
    assert codes.shape == (60, 6) and codes.min() >= 0 and codes.max() <= 1


def test_samples_npz_holds_the_decoded_codes(evaluated):
    folder = evaluated("gaussian").folder
    with np.load(folder / "evaluation/samples.npz", allow_pickle=False) as file:
        images, codes = file["images"], file["codes"]
    assert images.shape == (7, 1, 28, 28) and codes.shape == (7, 2)
    model = vae_cli.load(folder, device="cpu")
    assert torch.allclose(model.decode(codes), torch.from_numpy(images), atol=1e-6)
    assert torch.equal(model.prior_codes(7, seed=0), torch.from_numpy(codes))


def test_the_console_names_the_figures_and_the_report(evaluated):
    folder, console = evaluated("bernoulli")
    lines = console.splitlines()
    shown = next(line.split() for line in lines if line.split()[:1] == ["nll"])
    assert float(shown[1]) == pytest.approx(figures(folder)["nll"]["value"], abs=6e-4)
    assert "nats/image" in shown
    for name in figures(folder):
        assert any(line.strip().startswith(name.replace("_", " ")) for line in lines), name
    assert lines[-1].strip() == str(folder / "evaluation/report.html")


def test_the_report_has_the_commands_that_made_it(evaluated):
    folder = evaluated("gaussian").folder
    html = (folder / "evaluation/report.html").read_text()
    assert f"vae-eval run={folder} nll_samples=100" in html
    assert "vae-train" in html and "network.hidden=[16]" in html and "epochs=2" in html
