"""Pictures of test images and of samples. Each function takes the context and the file to write."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_cli.evaluation.context import Context
from vae_cli.models.posterior import select
from vae_cli.reporting import plots
from vae_cli.reporting.previews import COLUMNS, origin_of_samples, prior_samples


def save_grid(context: Context, path: Path, images: Tensor, columns: int, title: str, **labels: Any) -> None:
    magnify = plots.magnification(columns, context.data.shape[-1])
    plots.save(path, plots.grid(images, context.data.shape, columns, magnify), title, **labels)


def reconstructions(context: Context, path: Path) -> None:
    labels = context.labels
    first = torch.arange(min(COLUMNS, len(context.data.test.images)))
    if labels is not None:  # one of each class
        first = torch.stack([(labels == c).nonzero()[0, 0] for c in labels.unique()[:COLUMNS]])
    x = context.images(first)
    p = context.vae.decode(context.vae.encode(x).mode)
    uniform = torch.rand(x.shape, generator=context.generator(), dtype=x.dtype, device=x.device)
    rows = [x, p.mean, p.quantile(uniform.clamp(1e-6, 1 - 1e-6))]
    save_grid(
        context, path, torch.cat(rows), len(x),
        "Test images, their reconstructions (mean of p(x|z) at the most probable code) and one sample from each",
        row_labels=("observation", "mean", "sample"),
    )  # fmt: skip


def extremes(context: Context, path: Path) -> None:
    n = min(COLUMNS, len(context.scores))
    order = context.scores.argsort(descending=True)
    best, worst = order[:n], order[-n:].flip(0)
    ranges = [
        f"{context.scores[i].max():.1f} … {context.scores[i].min():.1f} nats" for i in (best, worst.flip(0))
    ]
    x, y = context.images(best), context.images(worst)
    save_grid(
        context, path, torch.cat([x, context.vae.reconstruct(x), y, context.vae.reconstruct(y)]), n,
        f"The {n} test images with the highest and the lowest {context.score_name}\nhighest {ranges[0]}, lowest {ranges[1]}",
        row_labels=("highest", "mean", "lowest", "mean"),
    )  # fmt: skip


def samples(context: Context, path: Path) -> None:
    origin = origin_of_samples(context.vae)
    images = prior_samples(context.vae, context.data, 2 * COLUMNS * COLUMNS, seed=1)
    save_grid(context, path, images, 2 * COLUMNS, f"Mean images of codes drawn from {origin}")


def class_samples(context: Context, path: Path) -> None:
    assert context.labels is not None
    classes, generator = context.labels.unique().tolist(), context.generator()
    codes = []
    for label in classes:
        here = (context.labels == label).to(context.like.device)
        codes.append(context.vae.latent.resample(select(context.q, here), COLUMNS, generator))
    kind = context.vae.latent.resampling.format(whose="its")
    save_grid(
        context, path, context.vae.generate(torch.cat(codes)), COLUMNS,
        f"Mean images of codes from each class's marginal posterior: {kind}",
        row_labels=[f"class {c}" for c in classes],
    )  # fmt: skip
