"""The gallery: every picture is drawn for every latent, image and label that can give it, and refused for the others."""

import pytest
import torch
from evaluation.subjects import COLOUR, GREY, context, data, drawn, model, subject
from models.tables import LATENTS, WITH_PRIOR

from vae_cli.config.schema.commands import PICTURES as NAMES
from vae_cli.errors import UserError
from vae_cli.evaluation.gallery import PICTURES, requested
from vae_cli.models.likelihoods import GaussianLikelihood
from vae_cli.reporting import plots

# Which there are.


def test_the_gallery_and_the_command_line_know_the_same_pictures():
    assert tuple(PICTURES) == NAMES
    for picture in PICTURES.values():
        assert picture.caption.endswith(".")


@pytest.mark.parametrize(
    ("latent", "units", "labels", "missing"),
    [
        ("gaussian", 2, list(range(12)), {"all_codes", "bits", "anomaly"}),
        ("gaussian", 1, None, {"class_samples", "scatter", "plane", "all_codes", "bits", "anomaly"}),
        ("bernoulli", 2, None, {"class_samples", "plane", "anomaly"}),
        ("bernoulli", 8, None, {"class_samples", "plane", "anomaly"}),
        ("bernoulli", 9, None, {"class_samples", "plane", "all_codes", "anomaly"}),
        ("categorical", 1, None, {"class_samples", "plane", "anomaly"}),
        ("categorical", 2, None, {"class_samples", "plane", "anomaly"}),
        ("categorical", 5, list(range(12)), {"plane", "anomaly"}),
        ("categorical", 6, None, {"class_samples", "plane", "all_codes", "anomaly"}),
        ("deterministic", 2, None,
         {"class_samples", "plane", "all_codes", "rates", "bits", "likelihood", "bounds", "anomaly"}),
    ],
)  # fmt: skip
def test_a_run_gives_the_pictures_it_can_and_refuses_the_others_by_name(latent, units, labels, missing):
    of = subject(model(latent, units), data(labels=labels))
    assert set(NAMES) - set(requested(None, of)) == missing
    for name in missing:
        with pytest.raises(UserError) as refused:
            requested(["samples", name], of)
        assert PICTURES[name].needs and PICTURES[name].needs in str(refused.value)
        assert f"pictures={name}" in str(refused.value) and f"latent={latent}" in str(refused.value)


def test_pictures_come_once_and_in_the_order_of_the_report():
    of = subject(model("gaussian", 2), anomaly="noise")
    assert requested(["extremes", "samples", "anomaly", "samples"], of) == ["samples", "extremes", "anomaly"]
    assert requested([], of) == []


def test_a_run_without_epochs_has_no_curves_and_one_image_no_interpolations():
    of = subject(model("gaussian", 2), data(n=1), metrics=())
    assert {"curves", "interpolations"}.isdisjoint(requested(None, of))
    for name in ("curves", "interpolations"):
        with pytest.raises(UserError, match=PICTURES[name].needs):
            requested([name], of)


# Each of them, for each kind of run.

KINDS = {
    "grey": (GREY, 12, None),
    "colour": (COLOUR, 12, [*range(10), 0, 1]),
    "one class": (GREY, 12, [3] * 12),
    "few images": (GREY, 3, [7, 2, 7]),
}


@pytest.fixture
def few_pixels(monkeypatch):
    """Charts take long to lay out at many pixels an inch; one column fills a thousand pixels."""
    monkeypatch.setattr(plots, "DPI", 25)
    monkeypatch.setattr(plots, "magnification", lambda *sizes: 3)


@pytest.mark.parametrize("units", [1, 2, 25])
@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_that_can_be_given_is_drawn(few_pixels, tmp_path, kind, latent, units):
    """Charts for one kind of run at each number of units."""
    shape, n, labels = KINDS[kind]
    anomaly = "noise" if latent in WITH_PRIOR else None
    of = subject(model(latent, units, shape), data(shape, n, labels), anomaly=anomaly)
    seen = context(of, torch.linspace(-40, -20, 5).double())
    names = requested(None, of)
    if (kind, units) not in {("few images", 1), ("one class", 2), ("colour", 25)}:
        names = [name for name in names if PICTURES[name].draw.__module__ != "vae_cli.evaluation.charts"]
    assert names
    for name in names:
        pixels = drawn(seen, name, tmp_path)
        assert pixels.std() > 0 and min(pixels.shape[:2]) > 20, name


@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("labels", [None, [4]], ids=["plain", "labelled"])
def test_one_image_is_enough(few_pixels, tmp_path, latent, labels):
    """Of three units: there is no plane and no scatter."""
    of = subject(model(latent, 3), data(n=1, labels=labels))
    seen = context(of)
    for name in requested(None, of):
        drawn(seen, name, tmp_path)


def test_images_on_the_real_line_are_drawn(tmp_path):
    """Their means and samples leave [0, 1]."""
    seen = context(subject(model("gaussian", 2, likelihood=GaussianLikelihood(-3.0))))
    for name in ("reconstructions", "samples", "plane", "traversals", "extremes"):
        drawn(seen, name, tmp_path)


@pytest.mark.parametrize("latent", LATENTS)
def test_a_picture_is_the_same_each_time(tmp_path, latent):
    """And it takes nothing from torch's own generator."""
    seen, before = context(subject(model(latent, 2), data(labels=[0, 1] * 6))), torch.get_rng_state()
    for name in ("reconstructions", "samples", "class_samples"):
        assert (drawn(seen, name, tmp_path) == drawn(seen, name, tmp_path)).all()
    assert torch.equal(torch.get_rng_state(), before)
