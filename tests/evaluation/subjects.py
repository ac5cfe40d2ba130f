"""Small untrained models with their data, measured as vae-eval measures them."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models import tables
from PIL import Image
from torch import Tensor

from vae_cli.data.dataset import Dataset, Split
from vae_cli.data.rectangles import rectangles
from vae_cli.evaluation import measurements
from vae_cli.evaluation.context import Context, Subject
from vae_cli.evaluation.gallery import LISTED_CODES, PICTURES
from vae_cli.evaluation.measurements import Measurement
from vae_cli.metrics.likelihood import posterior
from vae_cli.models.likelihoods import BernoulliLikelihood, Likelihood
from vae_cli.models.vae import VAE

K, N = 4, 60  # units and test images of `tells_images_apart`
GREY, COLOUR = (1, 6, 5), (3, 6, 5)
METRICS = (
    {"split": "train", "epoch": 1, "epoch_elbo": -9.0, "epoch_rate": 1.0, "epoch_distortion": 8.0},
    {"split": "validation", "epoch": 1, "elbo": -9.5, "rate": 1.0, "distortion": 8.5},
)


def model(
    latent: str, units: int, shape: tuple[int, int, int] = GREY, likelihood: Likelihood | None = None
) -> VAE:
    return tables.vae(tables.LATENTS[latent](units), likelihood or BernoulliLikelihood(), shape)


def data(shape: tuple[int, int, int] = GREY, n: int = 12, labels: list[int] | None = None) -> Dataset:
    """Black and white noise."""
    x = tables.images(BernoulliLikelihood(), n, shape)
    split = Split(x, None if labels is None else torch.tensor(labels))
    return Dataset(split, split, split, shape, 1.0)


def subject(vae: VAE, images: Dataset | None = None, **more: Any) -> Subject:
    return Subject(vae, images or data(), **({"metrics": METRICS} | more))


def context(of: Subject, anomaly_scores: Tensor | None = None) -> Context:
    count = of.vae.latent.code_count
    exact = count is not None and count <= LISTED_CODES
    _, shown = measurements.likelihood(of, 10, exact, 0)
    q = posterior(of.vae, of.data, of.data.test)
    if of.vae.prior() is not None:
        _, shown["usage"] = measurements.code(of, q, 0)
    return Context(**vars(of), q=q, anomaly_scores=anomaly_scores, **shown)


def drawn(of: Context, name: str, folder: Path) -> np.ndarray:
    """The picture's pixels [height, width, 3]. A warning on the way is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PICTURES[name].draw(of, folder / f"{name}.png")
    with Image.open(folder / f"{name}.png") as image:
        return np.asarray(image.convert("RGB")).astype(int)


def tells_images_apart(latent: str, **changes: Any) -> Subject:
    """An untrained model whose codes differ, with rectangles labelled by whether they cover more than 6 pixels."""

    def labelled(split: Split) -> Split:
        return Split(split.images, (split.images.sum(1) > 6).long())

    made = rectangles(6, 6, (1, 4), (1, 4), 150, 20, N, seed=0)
    splits = {name: labelled(getattr(made, name)) for name in ("train", "validation", "test")}
    images = made._replace(**splits, **changes)
    vae = model(latent, K, images.shape)
    with torch.no_grad():
        vae.encoder[-1].weight.mul_(2)
    return Subject(vae, images)


def same(measured: Measurement, values: Tensor) -> None:
    """Mean, number and std / √n of one value for each image."""
    assert measured.n == len(values)
    assert measured.value == pytest.approx(values.mean().item(), rel=1e-9)
    assert measured.standard_error == pytest.approx(values.std().item() / math.sqrt(len(values)), rel=1e-9)
