"""Pictures made of images: each function takes the context and the file to write."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_cli.evaluation.context import Context
from vae_cli.metrics.codes import class_means
from vae_cli.models.posterior import select
from vae_cli.reporting import plots
from vae_cli.reporting.previews import COLUMNS, origin_of_samples, prior_samples

TRAVERSED_UNITS = 32  # those with the highest rates
WALKS = 5  # interpolations where the user names none
PLANE_SIDE = 20


def _save(context: Context, path: Path, images: Tensor, columns: int, title: str, **labels: Any) -> None:
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
    _save(
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
    _save(
        context, path, torch.cat([x, context.vae.reconstruct(x), y, context.vae.reconstruct(y)]), n,
        f"The {n} test images with the highest and the lowest {context.score_name}\nhighest {ranges[0]}, lowest {ranges[1]}",
        row_labels=("highest", "mean", "lowest", "mean"),
    )  # fmt: skip


def samples(context: Context, path: Path) -> None:
    origin = origin_of_samples(context.vae)
    images = prior_samples(context.vae, context.data, 2 * COLUMNS * COLUMNS, seed=1)
    _save(context, path, images, 2 * COLUMNS, f"Mean images of codes drawn from {origin}")


def class_samples(context: Context, path: Path) -> None:
    assert context.labels is not None
    classes, generator = context.labels.unique().tolist(), context.generator()
    codes = []
    for label in classes:
        here = (context.labels == label).to(context.like.device)
        codes.append(context.vae.latent.resample(select(context.q, here), COLUMNS, generator))
    kind = context.vae.latent.resampling.format(whose="its")
    _save(
        context, path, context.vae.generate(torch.cat(codes)), COLUMNS,
        f"Mean images of codes from each class's marginal posterior: {kind}",
        row_labels=[f"class {c}" for c in classes],
    )  # fmt: skip


def plane(context: Context, path: Path) -> None:
    codes = context.vae.latent.plane(PLANE_SIDE, context.like)
    assert codes is not None
    ticks = codes[:PLANE_SIDE, 0].tolist()
    names = [f"{v:.1f}" if i % 3 == 0 else "" for i, v in enumerate(ticks)]
    _save(
        context, path, context.vae.generate(codes), PLANE_SIDE,
        "The decoded plane: unit 0 to the right, unit 1 upwards, at equal steps of the prior's distribution function",
        column_labels=names, row_labels=names[::-1],
    )  # fmt: skip


def all_codes(context: Context, path: Path) -> None:
    """In the order of numbers whose most significant digit is unit 0: half of the units at the row, half at the column."""
    latent = context.vae.latent
    values, units, count = latent.values_per_unit, latent.code_size, latent.code_count
    assert values is not None and count is not None
    at_row = units // 2
    reversed_digits = torch.arange(count).view(units * [values]).permute(*reversed(range(units))).flatten()
    codes = latent.codes(reversed_digits.to(context.like.device), context.like)
    rows = [f"{_digits(i, values, at_row)}…" if at_row else "" for i in range(values**at_row)]
    columns = [f"…{_digits(i, values, units - at_row)}" for i in range(values ** (units - at_row))]
    what, part = (
        (f"{units} bits", "bits") if values == 2 else (f"{units} units with {values} values", "units")
    )
    title = f"All {count} codes of {what}, decoded: first {part} at the row, last {part} at the column"
    _save(
        context,
        path,
        context.vae.generate(codes),
        len(columns),
        title,
        row_labels=rows,
        column_labels=columns,
    )


def _digits(number: int, base: int, count: int) -> str:
    """So many digits of a number to a base."""
    digits = [str(number // base**i % base) for i in reversed(range(count))]
    return ("" if base <= 10 else ".").join(digits)


@torch.no_grad()
def walks(context: Context) -> list[tuple[str, Tensor]]:
    """Name and codes [T, V] of each interpolation: between the test images that the user names, else between the means
    of neighbouring classes, else between the first test images."""
    n = len(context.data.test.images)
    if context.pairs or context.labels is None or len(context.labels.unique()) < 2:
        pairs = context.pairs or [(2 * i, 2 * i + 1) for i in range(min(WALKS, n // 2))]
        ends = {
            i: context.vae.encode(context.images(torch.tensor([i]))).mean[0] for pair in pairs for i in pair
        }
        name = "image {} → {}"
    else:
        ends = class_means(context.q.mean, context.labels.to(context.like.device))
        classes = list(ends)
        pairs = list(zip(classes[::2], classes[1::2], strict=False))
        name = "class {} → {}"
    return [(name.format(a, b), context.vae.latent.path(ends[a], ends[b], 11)) for a, b in pairs]


def interpolations(context: Context, path: Path) -> None:
    found = walks(context)
    columns = max(len(codes) for _, codes in found)
    rows = []
    for _, codes in found:
        images = context.vae.generate(codes)
        blank = images.new_full((columns - len(images), images.shape[-1]), 1.0)
        rows.append(torch.cat([images, blank]))
    title = f"Between two codes: {context.vae.latent.walking}"
    _save(context, path, torch.cat(rows), columns, title, row_labels=[name for name, _ in found])


def traversals(context: Context, path: Path) -> None:
    latent, base = context.vae.latent, context.vae.encode(context.images(torch.tensor([0]))).mode[0]
    weight, by, unit = _importance(context)
    units = weight.argsort(descending=True)[:TRAVERSED_UNITS].tolist()
    codes, names = latent.traversal(base, units, context.q.mean)
    images, shape = (
        torch.stack([context.vae.generate(row) for row in codes]),
        context.data.shape,
    )  # [units, T, D]
    if latent.values_per_unit == 2 and shape[0] == 1:
        difference = plots.signed(images[:, 1] - images[:, 0])
        coloured = images[:, :, None].expand(-1, -1, 3, -1)
        images, shape = torch.cat([coloured, difference[:, None]], 1), (3, *shape[1:])
        names = [*names, "difference"]
    columns = len(names)
    by_height = plots.magnification(len(units), shape[-2], 1600)
    magnify = min(plots.magnification(columns, shape[-1], 260 if columns == 3 else 1000), by_height)
    labels = [f"unit {k}: {weight[k]:.2f} {unit}" for k in units]
    title = f"Around test image 0's code, {latent.traversing}; {by}"
    picture = plots.grid(images.flatten(0, 1).flatten(1), shape, columns, magnify)
    plots.save(path, picture, title, labels, names)


def _importance(context: Context) -> tuple[Tensor, str, str]:
    """A number for each unit [K], its name and its unit: the rate or, without a prior, the spread of the codes."""
    if context.vae.prior() is not None:
        return context.rates, "by rate", "nats"
    spread = context.q.mean.std(0, correction=0)
    return spread.unflatten(0, (-1, context.vae.latent.code_size)).amax(0), "by spread", "σ"
