"""What there is to see in a trained model: which images answer which question."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_cli.evaluation.context import View
from vae_cli.metrics.codes import class_means
from vae_cli.reporting import plots
from vae_cli.reporting.previews import COLUMNS, prior_samples

TRAVERSED_UNITS = 32  # the ones with the highest rates
WALKS = 5  # interpolations where none are asked for


# The pictures of an evaluation. Each takes a view and the file to write.


def _save(view: View, path: Path, images: Tensor, columns: int, title: str, **labels: Any) -> None:
    magnify = plots.magnification(columns, view.data.shape[-1])
    plots.save(path, plots.grid(images, view.data.shape, columns, magnify), title, **labels)


def reconstructions(view: View, path: Path) -> None:
    labels = view.labels
    first = torch.arange(min(COLUMNS, len(view.data.test.images)))
    if labels is not None:  # one of each class
        first = torch.stack([(labels == c).nonzero()[0, 0] for c in labels.unique()[:COLUMNS]])
    x = view.images(first)
    p = view.vae.decode(view.vae.encode(x).mode)
    uniform = torch.rand(x.shape, generator=view.generator(), dtype=x.dtype, device=x.device)
    rows = [x, p.mean, p.quantile(uniform.clamp(1e-6, 1 - 1e-6))]
    _save(
        view, path, torch.cat(rows), len(x),
        "Test images, their reconstructions (mean of p(x|z) at the most probable code) and one sample from each",
        row_labels=("observation", "mean", "sample"),
    )  # fmt: skip


def extremes(view: View, path: Path) -> None:
    n = min(COLUMNS, len(view.scores))
    order = view.scores.argsort(descending=True)
    best, worst = order[:n], order[-n:].flip(0)
    ranges = [f"{view.scores[i].max():.1f} … {view.scores[i].min():.1f} nats" for i in (best, worst.flip(0))]
    x, y = view.images(best), view.images(worst)
    _save(
        view, path, torch.cat([x, view.vae.reconstruct(x), y, view.vae.reconstruct(y)]), n,
        f"The {n} test images with the highest and the lowest {view.score_name}\nhighest {ranges[0]}, lowest {ranges[1]}",
        row_labels=("highest", "mean", "lowest", "mean"),
    )  # fmt: skip


def samples(view: View, path: Path) -> None:
    origin = (
        "the prior" if view.vae.latent.has_density else "a Gaussian with the test codes' mean and covariance"
    )
    images = prior_samples(view.vae, view.data, 2 * COLUMNS * COLUMNS, seed=1)
    _save(view, path, images, 2 * COLUMNS, f"Mean images of codes drawn from {origin}")


def class_samples(view: View, path: Path) -> None:
    assert view.labels is not None
    classes, generator = view.labels.unique().tolist(), view.generator()
    codes = []
    for label in classes:
        here = (view.labels == label).to(view.like.device)
        q = type(view.q)(*(t[here] for t in view.q))
        codes.append(view.vae.latent.resample(q, COLUMNS, generator))  # type: ignore[arg-type]  # a latent's posterior is of its own kind
    kind = (
        "independent bits with its rates"
        if view.vae.latent.is_binary
        else "a Gaussian with its mean and covariance"
    )
    _save(
        view, path, view.vae.generate(torch.cat(codes)), COLUMNS,
        f"Mean images of codes from each class's marginal posterior: {kind}",
        row_labels=[f"class {c}" for c in classes],
    )  # fmt: skip


def plane(view: View, path: Path) -> None:
    """ "Auto-Encoding Variational Bayes" (Kingma and Welling, 2014), arXiv:1312.6114, figure 4."""
    side = 20
    probability = (torch.arange(side, dtype=view.like.dtype, device=view.like.device) + 0.5) / side
    steps = torch.special.ndtri(probability)
    y, x = torch.meshgrid(steps.flip(0), steps, indexing="ij")
    names = [f"{v:.1f}" if i % 3 == 0 else "" for i, v in enumerate(steps.tolist())]
    _save(
        view, path, view.vae.generate(torch.stack([x, y], -1).flatten(0, 1)), side,
        "The decoded plane: unit 0 to the right, unit 1 upwards, at equal steps of the prior's distribution function",
        column_labels=names, row_labels=names[::-1],
    )  # fmt: skip


def all_codes(view: View, path: Path) -> None:
    units = view.vae.latent.code_size
    index = torch.arange(2**units, device=view.like.device)
    codes = (index[:, None] >> torch.arange(units, device=index.device).flip(0) & 1).to(view.like.dtype)
    columns = 2 ** -(-units // 2)
    names = [f"…{i:0{-(-units // 2)}b}" for i in range(columns)]
    rows = [f"{i:0{units // 2}b}…" if units > 1 else "" for i in range(2 ** (units // 2))]
    title = f"All {len(codes)} codes of {units} bits, decoded: first bits at the row, last bits at the column"
    _save(view, path, view.vae.generate(codes), columns, title, row_labels=rows, column_labels=names)


@torch.no_grad()
def walks(view: View) -> list[tuple[str, Tensor]]:
    """Name and codes [T, K] of each walk: between the test images asked for, else between neighbouring classes'
    means, else between the first test images."""
    n = len(view.data.test.images)
    if view.pairs or view.labels is None or len(view.labels.unique()) < 2:
        pairs = view.pairs or [(2 * i, 2 * i + 1) for i in range(min(WALKS, n // 2))]
        ends = {i: view.vae.encode(view.images(torch.tensor([i]))).mean[0] for pair in pairs for i in pair}
        name = "image {} → {}"
    else:
        ends = class_means(view.q.mean, view.labels.to(view.like.device))
        classes = list(ends)
        pairs = list(zip(classes[::2], classes[1::2], strict=False))
        name = "class {} → {}"
    return [(name.format(a, b), view.vae.latent.path(ends[a], ends[b], 11)) for a, b in pairs]


def interpolations(view: View, path: Path) -> None:
    found = walks(view)
    columns = max(len(codes) for _, codes in found)
    rows = []
    for _, codes in found:
        images = view.vae.generate(codes)
        blank = images.new_full((columns - len(images), images.shape[-1]), 1.0)
        rows.append(torch.cat([images, blank]))
    how = (
        "one differing bit flipped at a time, the surest first"
        if view.vae.latent.is_binary
        else "eleven equal steps along a straight line"
    )
    title = f"Between two codes: {how}"
    _save(view, path, torch.cat(rows), columns, title, row_labels=[name for name, _ in found])


def traversals(view: View, path: Path) -> None:
    latent, base = view.vae.latent, view.vae.encode(view.images(torch.tensor([0]))).mode[0]
    values, names = latent.steps(view.q.mean)
    weight = view.rates if latent.has_density else view.q.mean.std(0, correction=0)
    unit = "nats" if latent.has_density else "σ"
    units = weight.argsort(descending=True)[:TRAVERSED_UNITS].tolist()
    rows = []
    for k in units:
        codes = base.repeat(values.shape[1], 1)
        codes[:, k] = values[k]
        rows.append(view.vae.generate(codes))
    images, shape = torch.stack(rows), view.data.shape  # [units, T, D]
    if latent.is_binary and shape[0] == 1:
        difference = plots.signed(images[:, 1] - images[:, 0])
        images, shape = (
            torch.cat([images[:, :, None].expand(-1, -1, 3, -1), difference[:, None]], 1),
            (3, *shape[1:]),
        )
        names = [*names, "difference"]
    columns = len(names)
    by_height = plots.magnification(len(units), shape[-2], 1600)
    magnify = min(plots.magnification(columns, shape[-1], 260 if columns == 3 else 1000), by_height)
    labels = [f"unit {k}: {weight[k]:.2f} {unit}" for k in units]
    what = "each bit off and on, and what it changes" if latent.is_binary else "each unit alone moved"
    title = f"Around test image 0's code, {what}; " + ("by rate" if latent.has_density else "by spread")
    picture = plots.grid(images.flatten(0, 1).flatten(1), shape, columns, magnify)
    plots.save(path, picture, title, labels, names)
