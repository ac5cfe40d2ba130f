"""Pictures: tensors → grids → PNG files with a title."""

from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from vae_cli.data import Data
from vae_cli.distributions import Normal
from vae_cli.model import VAE

SAMPLE_SIDE = 20  # samples.png is 20 × 20
RECONSTRUCTIONS = 10
GAP = 0.75  # the grey of the lines between images


def grid(images: Tensor, shape: tuple[int, int, int], columns: int, magnify: int = 1) -> np.ndarray:
    """images [N, D] in [0, 1] → one picture [height, width, 3] uint8, row by row, one grey pixel between."""
    channels, height, width = shape
    rows = -(-len(images) // columns)
    picture = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, 3), GAP, np.float32)
    pixels = images.detach().float().clamp(0, 1).cpu().numpy().reshape(-1, channels, height, width)
    for i, image in enumerate(pixels):
        top, left = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        # grey images fill all three colours; of more than three channels the first three are shown
        picture[top : top + height, left : left + width] = np.moveaxis(
            image[:3] if channels >= 3 else image[:1], 0, -1
        )
    return (255 * picture).round().astype(np.uint8).repeat(magnify, 0).repeat(magnify, 1)


@torch.no_grad()
def samples(model: VAE, data: Data, n: int, seed: int = 0) -> Tensor:
    """Mean images [n, D] of codes from the prior.

    A deterministic latent has no prior; its codes come from a Gaussian with the mean and standard deviation
    of the test codes: "From Variational to Deterministic Autoencoders" (Ghosh et al., 2020), arXiv:1903.12436.
    """
    like = next(model.parameters())
    generator = Generator(like.device).manual_seed(seed)
    noise = model.latent.noise((n,), generator, like)
    if model.latent.has_density:
        return model.generate(model.latent.prior(like).sample(noise))
    codes = model.encode(data.pixels(data.test.images[:1000].to(like.device), like.dtype)).mean
    noise = torch.randn(noise.shape, generator=generator, dtype=like.dtype, device=like.device)
    return model.generate(Normal(codes.mean(0), codes.std(0).clamp(min=1e-12).log()).sample(noise))


@torch.no_grad()
def reconstructions(model: VAE, data: Data, n: int = RECONSTRUCTIONS) -> Tensor:
    """The first n test images [2n, D]: observations, then reconstructions."""
    like = next(model.parameters())
    x = data.pixels(data.test.images[:n].to(like.device), like.dtype)
    return torch.cat([x, model.reconstruct(x)])


def save(path: Path, picture: np.ndarray, title: str, row_labels: tuple[str, ...] = ()) -> None:
    """Write a grid as a PNG with its title above and a label left of each row, at one pixel per pixel or more."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # here: only the end of a run draws
    from matplotlib.figure import Figure

    dpi, margin = 100, 0.45
    left = margin * 3 if row_labels else margin / 3
    height, width = (side / dpi for side in picture.shape[:2])
    total_width, total_height = max(width + left + margin / 3, 0.085 * len(title)), height + 1.5 * margin
    figure = Figure((total_width, total_height), dpi=dpi)
    axes = figure.add_axes(
        (left / total_width, 0.5 * margin / total_height, width / total_width, height / total_height)
    )
    axes.imshow(picture, interpolation="nearest")
    axes.set_xticks([])
    rows = len(row_labels)
    axes.set_yticks([(i + 0.5) * len(picture) / rows for i in range(rows)], row_labels)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.text(0.5, 1 - 0.45 * margin / total_height, title, ha="center", va="center", fontsize=10)
    FigureCanvasAgg(figure).print_png(path)
