"""Pictures of small models built by hand: each draws for every latent, image and label that can give it."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator, Tensor

from vae_cli.config.schema.commands import PICTURES as NAMES
from vae_cli.data.dataset import Dataset, Split
from vae_cli.errors import UserError
from vae_cli.evaluation import measurements
from vae_cli.evaluation.context import Subject, View
from vae_cli.evaluation.gallery import PICTURES, requested
from vae_cli.evaluation.images import walks
from vae_cli.metrics.likelihood import posterior
from vae_cli.models.latents.bernoulli import BernoulliLatent
from vae_cli.models.latents.contract import Latent
from vae_cli.models.latents.deterministic import DeterministicLatent
from vae_cli.models.latents.gaussian import GaussianLatent
from vae_cli.models.likelihoods import BernoulliLikelihood, GaussianLikelihood
from vae_cli.models.networks import MLP
from vae_cli.models.vae import VAE
from vae_cli.reporting import plots

LATENTS = {"gaussian": GaussianLatent, "bernoulli": BernoulliLatent, "deterministic": DeterministicLatent}
GREY, COLOUR = (1, 6, 5), (3, 6, 5)
METRICS = (
    {"split": "train", "epoch": 1, "epoch_elbo": -9.0, "epoch_rate": 1.0, "epoch_distortion": 8.0},
    {"split": "validation", "epoch": 1, "elbo": -9.5, "rate": 1.0, "distortion": 8.5},
)


def vae(latent: Latent, shape: tuple[int, int, int] = GREY, likelihood=None) -> VAE:
    torch.manual_seed(0)
    network, likelihood = MLP((7,), "tanh", "xavier"), likelihood or BernoulliLikelihood()
    encoder = network.encoder(shape, latent.encoder_outputs)
    decoder = network.decoder(latent.decoder_inputs, shape, likelihood.outputs_per_pixel)
    return VAE(encoder, decoder, latent, likelihood)


def data(shape: tuple[int, int, int] = GREY, n: int = 12, labels: list[int] | None = None) -> Dataset:
    x = torch.rand(n, int(np.prod(shape)), generator=Generator().manual_seed(1)).round()
    split = Split(x, None if labels is None else torch.tensor(labels))
    return Dataset(split, split, split, shape, 1.0)


def subject(model: VAE, images: Dataset, **more) -> Subject:
    return Subject(model, images, **({"metrics": METRICS} | more))


def view(of: Subject, anomalies: Tensor | None = None) -> View:
    """As vae-eval measures it."""
    latent = of.vae.latent
    exact = latent.is_binary and latent.code_size <= 8
    _, shown = measurements.likelihood(of, 10, exact, 0)
    q = posterior(of.vae, of.data, of.data.test)
    if latent.has_density:
        _, shown["bits"] = measurements.code(of, q, 0)
    return View(**vars(of), q=q, anomaly_scores=anomalies, **shown)


def drawn(seen: View, name: str, folder: Path) -> np.ndarray:
    """The picture's pixels [height, width, 3]; no warning on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PICTURES[name].draw(seen, folder / f"{name}.png")
    with Image.open(folder / f"{name}.png") as image:
        return np.asarray(image.convert("RGB")).astype(int)


# --- which there are ----------------------------------------------------------------------------------------


def test_the_gallery_and_the_command_line_know_the_same_pictures():
    assert tuple(PICTURES) == NAMES
    for picture in PICTURES.values():
        assert picture.caption.endswith(".")


@pytest.mark.parametrize(
    ("kind", "units", "labels", "missing"),
    [
        ("gaussian", 2, list(range(12)), {"all_codes", "bits", "anomaly"}),
        ("gaussian", 1, None, {"class_samples", "scatter", "plane", "all_codes", "bits", "anomaly"}),
        ("bernoulli", 2, None, {"class_samples", "plane", "anomaly"}),
        ("bernoulli", 8, None, {"class_samples", "plane", "anomaly"}),
        ("bernoulli", 9, None, {"class_samples", "plane", "all_codes", "anomaly"}),
        ("deterministic", 2, None,
         {"class_samples", "plane", "all_codes", "rates", "bits", "likelihood", "bounds", "anomaly"}),
    ],
)  # fmt: skip
def test_what_a_run_can_give_is_given_and_what_it_cannot_is_refused_in_words(kind, units, labels, missing):
    of = subject(vae(LATENTS[kind](units)), data(labels=labels))
    assert set(NAMES) - set(requested(None, of)) == missing
    for name in missing:
        with pytest.raises(UserError) as refused:
            requested(["samples", name], of)
        assert PICTURES[name].needs and PICTURES[name].needs in str(refused.value)
        assert f"pictures={name}" in str(refused.value)


def test_pictures_come_in_the_order_of_the_report_and_once():
    of = subject(vae(GaussianLatent(2)), data(), anomaly="noise")
    assert requested(["extremes", "samples", "anomaly", "samples"], of) == ["samples", "extremes", "anomaly"]
    assert requested([], of) == []


def test_what_needs_epochs_and_two_images_is_not_given_without():
    of = subject(vae(GaussianLatent(2)), data(n=1), metrics=())
    assert {"curves", "interpolations"}.isdisjoint(requested(None, of))
    for name in ("curves", "interpolations"):
        with pytest.raises(UserError, match=PICTURES[name].needs):
            requested([name], of)


# --- each of them, for each kind of run ---------------------------------------------------------------------

KINDS = {
    "grey": (GREY, 12, None),
    "colour": (COLOUR, 12, [*range(10), 0, 1]),
    "one class": (GREY, 12, [3] * 12),
    "few images": (GREY, 3, [7, 2, 7]),
}


@pytest.mark.parametrize("units", [1, 2, 25])
@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_picture_that_can_be_given_is_drawn(monkeypatch, tmp_path, kind, latent, units):
    """Charts, whose layout takes long, at few pixels an inch, for one kind at each number of units."""
    monkeypatch.setattr(plots, "DPI", 25)
    monkeypatch.setattr(plots, "magnification", lambda *sizes: 3)  # one column fills a thousand pixels
    shape, n, labels = KINDS[kind]
    anomaly = None if latent == "deterministic" else "noise"
    of = subject(vae(LATENTS[latent](units), shape), data(shape, n, labels), anomaly=anomaly)
    seen = view(of, torch.linspace(-40, -20, 5).double())
    names = requested(None, of)
    if (kind, units) not in {("few images", 1), ("one class", 2), ("colour", 25)}:
        names = [name for name in names if PICTURES[name].draw.__module__ != "vae_cli.evaluation.charts"]
    assert names
    for name in names:
        pixels = drawn(seen, name, tmp_path)
        assert pixels.std() > 0 and min(pixels.shape[:2]) > 20, name


@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("labels", [None, [4]], ids=["plain", "labelled"])
def test_one_image_is_enough(monkeypatch, tmp_path, latent, labels):
    """Three units: one image has no plane, and no scatter is asked for."""
    monkeypatch.setattr(plots, "DPI", 25)
    monkeypatch.setattr(plots, "magnification", lambda *sizes: 3)  # one column fills a thousand pixels
    of = subject(vae(LATENTS[latent](3)), data(n=1, labels=labels))
    seen = view(of)
    for name in requested(None, of):
        drawn(seen, name, tmp_path)


def test_a_likelihood_on_the_real_line_is_drawn_too(tmp_path):
    """Its means and samples leave [0, 1]."""
    of = subject(vae(GaussianLatent(2), likelihood=GaussianLikelihood(-3.0)), data())
    seen = view(of)
    for name in ("reconstructions", "samples", "plane", "traversals", "extremes"):
        drawn(seen, name, tmp_path)


def test_a_picture_is_the_same_each_time(tmp_path):
    """And takes nothing from torch's own generator."""
    seen, before = view(subject(vae(GaussianLatent(2)), data(labels=[0, 1] * 6))), torch.get_rng_state()
    for name in ("reconstructions", "samples", "class_samples"):
        assert (drawn(seen, name, tmp_path) == drawn(seen, name, tmp_path)).all()
    assert torch.equal(torch.get_rng_state(), before)


def test_all_codes_are_counted_by_row_and_column(monkeypatch, tmp_path):
    """Three bits: two columns of bits decide columns, the first the row; decoded in the order of binary numbers."""
    grids = []
    monkeypatch.setattr(plots, "grid", lambda images, *rest: grids.append((images, rest)) or np.zeros((9, 9, 3), np.uint8))  # fmt: skip
    model = vae(BernoulliLatent(3))
    PICTURES["all_codes"].draw(view(subject(model, data())), tmp_path / "codes.png")
    ((images, (shape, columns, _)),) = grids
    codes = torch.tensor([[float(b) for b in f"{i:03b}"] for i in range(8)])
    assert columns == 4 and shape == GREY and torch.equal(images, model.generate(codes))


def test_the_plane_goes_right_with_unit_0_and_up_with_unit_1(monkeypatch, tmp_path):
    grids = []
    monkeypatch.setattr(plots, "grid", lambda images, *rest: grids.append(images) or np.zeros((9, 9, 3), np.uint8))  # fmt: skip
    model = vae(GaussianLatent(2))
    PICTURES["plane"].draw(view(subject(model, data())), tmp_path / "plane.png")
    at = torch.special.ndtri((torch.arange(20) + 0.5) / 20)
    images = grids[0].unflatten(0, (20, 20))  # [rows, columns, D]
    for row, column in ((0, 0), (0, 19), (19, 0), (7, 3)):
        code = torch.stack([at[column], at[19 - row]])
        assert torch.allclose(images[row, column], model.generate(code), atol=1e-6)


# --- walks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latent", LATENTS)
def test_walks_between_asked_for_images_start_and_end_at_their_codes(latent):
    """Whether there are labels or not; a binary walk flips one bit a step."""
    of = subject(vae(LATENTS[latent](5)), data(labels=[0, 1] * 6), pairs=((3, 11), (4, 4)))
    found = walks(view(of))
    assert [name for name, _ in found] == ["image 3 → 11", "image 4 → 4"]
    for (i, j), (_, codes) in zip(of.pairs, found, strict=True):
        ends = of.vae.encode(of.images(torch.tensor([i, j]))).mean
        if latent == "bernoulli":
            ends = ends.round()
            assert len(codes) == 1 + (ends[0] != ends[1]).sum()
            assert ((codes[1:] != codes[:-1]).sum(1) == 1).all()
        assert torch.allclose(codes[[0, -1]], ends, atol=1e-6)


def test_walks_go_between_neighbouring_classes_else_between_the_first_images():
    model = vae(GaussianLatent(2))
    labels = [0, 1, 2, 3, 4] * 2 + [0, 1]
    found = walks(view(subject(model, data(labels=labels))))
    assert [name for name, _ in found] == ["class 0 → 1", "class 2 → 3"]
    means = model.encode(data().test.images).mean[torch.tensor(labels) == 2].mean(0)
    assert torch.allclose(found[1][1][0], means, atol=1e-6) and len(found[1][1]) == 11
    for images in (data(), data(labels=[3] * 12)):
        names = [name for name, _ in walks(view(subject(model, images)))]
        assert names == [f"image {2 * i} → {2 * i + 1}" for i in range(5)]
    assert [name for name, _ in walks(view(subject(model, data(n=3))))] == ["image 0 → 1"]


# --- grids --------------------------------------------------------------------------------------------------


def test_a_grid_has_whole_images_between_grey_lines():
    images = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, -1.0]])  # the last is clipped
    picture = plots.grid(images, (1, 1, 2), 2)
    gap = round(255 * plots.GAP)
    rows = [
        [gap] * 7,
        [gap, 0, 255, gap, 255, 0, gap],
        [gap] * 7,
        [gap, 255, 0, gap, gap, gap, gap],
        [gap] * 7,
    ]
    assert (picture == np.array(rows)[:, :, None]).all() and picture.dtype == np.uint8
    assert (plots.grid(images, (1, 1, 2), 2, 3) == picture.repeat(3, 0).repeat(3, 1)).all()


@pytest.mark.parametrize(("channels", "shown"), [(2, (0, 0, 0)), (3, (0, 1, 2)), (4, (0, 1, 2))])
def test_a_grid_shows_three_channels_in_colour_and_else_the_first(channels, shown):
    values = torch.tensor([0.2, 0.4, 0.6, 0.8])[:channels]
    pixel = plots.grid(values[None], (channels, 1, 1), 1)[1, 1]
    assert pixel.tolist() == [round(255 * values[i].item()) for i in shown]


def test_signed_differences_are_blue_white_and_red():
    """White where two images are equal; outside [−1, 1] it is clipped."""
    colours = plots.signed(torch.tensor([[-1.0, 0.0, 1.0, -5.0, 5.0]]))
    assert colours.shape == (1, 3, 5)
    (red, _, blue), white = colours[0, :, [0, 2]], colours[0, :, 1]
    assert blue[0] > red[0] and red[1] > blue[1] and (white > 0.95).all()
    assert torch.equal(colours[..., 3:], colours[..., [0, 2]])


def test_magnification_is_whole_and_brings_grids_near_their_width():
    for columns in (1, 3, 10, 20, 400):
        for width in (1, 24, 28, 500):
            factor = plots.magnification(columns, width, 840)
            assert isinstance(factor, int) and 1 <= factor <= 4
            assert factor in (1, 4) or abs(factor * columns * (width + 1) - 840) <= columns * (width + 1) / 2
    assert plots.magnification(20, 28, 840) == 1 and plots.magnification(3, 24, 260) == 3
    assert plots.magnification(1, 28) == 4  # one image is not blown up


def test_what_a_bit_does_not_change_is_white_in_the_difference_column(monkeypatch, tmp_path):
    """A decoder that is deaf to unit 1: off and on are one image, and their difference is blank."""
    model, grids = vae(BernoulliLatent(2)), []
    with torch.no_grad():
        model.decoder[0].weight[:, 1] = 0
    monkeypatch.setattr(plots, "grid", lambda images, *rest: grids.append((images, rest)) or np.zeros((9, 9, 3), np.uint8))  # fmt: skip
    seen = view(subject(model, data()))
    PICTURES["traversals"].draw(seen, tmp_path / "traversals.png")
    ((images, (shape, columns, _)),) = grids
    assert columns == 3 and shape == (3, *GREY[1:])
    row = seen.rates.argsort(descending=True).tolist().index(1)
    off, on, difference = images.unflatten(0, (2, 3))[row].unflatten(-1, (3, -1))
    assert torch.allclose(off, on) and (difference > 0.95).all()
    assert (images.unflatten(0, (2, 3))[1 - row, 2] < 0.95).any()
