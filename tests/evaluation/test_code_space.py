"""What the pictures of code space show."""

from typing import Any

import numpy as np
import pytest
import torch
from evaluation.subjects import GREY, context, data, model, subject
from models import tables
from models.tables import DISCRETE, LATENTS
from torch import Tensor

from vae_cli.evaluation.code_space import walks
from vae_cli.evaluation.gallery import PICTURES
from vae_cli.models.latents.categorical import CategoricalLatent
from vae_cli.models.likelihoods import BernoulliLikelihood
from vae_cli.models.vae import VAE
from vae_cli.reporting import plots

# Interpolations.


@pytest.mark.parametrize("latent", LATENTS)
def test_walks_between_asked_for_images_start_and_end_at_their_codes(latent):
    """Whether there are labels or not; a discrete walk changes one unit a step."""
    of = subject(model(latent, 5), data(labels=[0, 1] * 6), pairs=((3, 11), (4, 4)))
    found = walks(context(of))
    assert [name for name, _ in found] == ["image 3 → 11", "image 4 → 4"]
    for (i, j), (_, codes) in zip(of.pairs, found, strict=True):
        q = of.vae.encode(of.images(torch.tensor([i, j])))
        if latent in DISCRETE:
            units = codes.unflatten(-1, (-1, 5)).movedim(-1, 0)  # [K, T, V / K]
            changes = (units[:, 1:] != units[:, :-1]).any(-1)
            assert (changes.sum(0) == 1).all()
            assert len(codes) == 1 + (units[:, 0] != units[:, -1]).any(-1).sum()
        assert torch.allclose(codes[[0, -1]], q.mode if latent in DISCRETE else q.mean, atol=1e-6)


def test_walks_go_between_neighbouring_classes_else_between_the_first_images():
    vae = model("gaussian", 2)
    labels = [0, 1, 2, 3, 4] * 2 + [0, 1]
    found = walks(context(subject(vae, data(labels=labels))))
    assert [name for name, _ in found] == ["class 0 → 1", "class 2 → 3"]
    means = vae.encode(data().test.images).mean[torch.tensor(labels) == 2].mean(0)
    assert torch.allclose(found[1][1][0], means, atol=1e-6) and len(found[1][1]) == 11
    for images in (data(), data(labels=[3] * 12)):
        names = [name for name, _ in walks(context(subject(vae, images)))]
        assert names == [f"image {2 * i} → {2 * i + 1}" for i in range(5)]
    assert [name for name, _ in walks(context(subject(vae, data(n=3))))] == ["image 0 → 1"]


# Grids over codes.


@pytest.fixture
def grids(monkeypatch) -> list[Any]:
    """(images, shape, columns, magnification) of each grid that is drawn."""
    seen: list[Any] = []
    blank = np.zeros((9, 9, 3), np.uint8)
    monkeypatch.setattr(plots, "grid", lambda *arguments: seen.append(arguments) or blank)
    return seen


def draw(name: str, vae: VAE, tmp_path) -> Any:
    seen = context(subject(vae))
    PICTURES[name].draw(seen, tmp_path / "picture.png")
    return seen


def test_all_codes_of_bits_are_in_the_order_of_binary_numbers(grids, tmp_path):
    """Three bits: the first decides the row, the other two the column."""
    vae = model("bernoulli", 3)
    draw("all_codes", vae, tmp_path)
    ((images, shape, columns, _),) = grids
    codes = torch.tensor([[float(b) for b in f"{i:03b}"] for i in range(8)])
    assert columns == 4 and shape == GREY and torch.equal(images, vae.generate(codes))


def test_all_codes_of_categories_are_counted_by_row_and_column(grids, tmp_path):
    """Two units with three values: unit 0 decides the row, unit 1 the column."""
    vae = model("categorical", 2)
    draw("all_codes", vae, tmp_path)
    ((images, _, columns, _),) = grids
    codes = torch.zeros(3, 3, 3, 2)  # [row, column, value, unit]
    for row in range(3):
        for column in range(3):
            codes[row, column, row, 0] = codes[row, column, column, 1] = 1
    assert columns == 3 and torch.equal(images, vae.generate(codes.view(9, 6)))


def test_all_values_of_one_unit_fill_rows_of_twenty(grids, tmp_path, monkeypatch):
    """50 values: three rows, labelled by what is to be added to the column."""
    saved = []
    monkeypatch.setattr(plots, "save", lambda path, picture, title, **labels: saved.append(labels))
    vae = tables.vae(CategoricalLatent(1, 50), BernoulliLikelihood(), GREY)
    draw("all_codes", vae, tmp_path)
    ((images, _, columns, _),) = grids
    assert columns == 20 and torch.equal(images, vae.generate(torch.eye(50)))
    assert saved[0] == {"row_labels": ["", "20 +", "40 +"], "column_labels": [str(i) for i in range(20)]}


def test_the_plane_goes_right_with_unit_0_and_up_with_unit_1(grids, tmp_path):
    vae = model("gaussian", 2)
    draw("plane", vae, tmp_path)
    at = torch.special.ndtri((torch.arange(20) + 0.5) / 20)
    images = grids[0][0].unflatten(0, (20, 20))  # [rows, columns, D]
    for row, column in ((0, 0), (0, 19), (19, 0), (7, 3)):
        code = torch.stack([at[column], at[19 - row]])
        assert torch.allclose(images[row, column], vae.generate(code), atol=1e-6)


def deaf_to_unit_1(latent: str, per_unit: int) -> VAE:
    vae = model(latent, 2)
    with torch.no_grad():
        vae.decoder[0].weight.unflatten(1, (per_unit, 2))[:, :, 1] = 0
    return vae


def row_of_unit_1(rates: Tensor) -> int:
    return rates.argsort(descending=True).tolist().index(1)


def test_what_a_bit_does_not_change_is_white_in_the_difference_column(grids, tmp_path):
    """The decoder does not read unit 1: its images off and on are the same."""
    seen = draw("traversals", deaf_to_unit_1("bernoulli", 1), tmp_path)
    ((images, shape, columns, _),) = grids
    assert columns == 3 and shape == (3, *GREY[1:])
    row = row_of_unit_1(seen.rates)
    off, on, difference = images.unflatten(0, (2, 3))[row].unflatten(-1, (3, -1))
    assert torch.allclose(off, on) and (difference > 0.95).all()
    assert (images.unflatten(0, (2, 3))[1 - row, 2] < 0.95).any()


def test_a_traversal_of_categories_has_a_column_for_each_value(grids, tmp_path):
    """The decoder does not read unit 1: its three images are the same, and those of unit 0 are not."""
    seen = draw("traversals", deaf_to_unit_1("categorical", 3), tmp_path)
    ((images, shape, columns, _),) = grids
    assert columns == 3 and shape == GREY
    row = row_of_unit_1(seen.rates)
    of_unit = images.unflatten(0, (2, 3))
    assert torch.allclose(of_unit[row], of_unit[row, :1].expand(3, -1))
    assert not torch.allclose(of_unit[1 - row], of_unit[1 - row, :1].expand(3, -1))
