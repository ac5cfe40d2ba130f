"""Pictures of code space: decoded codes at chosen places, and on the way between two of them."""

from pathlib import Path

import torch
from torch import Tensor

from vae_cli.evaluation.context import Context
from vae_cli.evaluation.images import save_grid
from vae_cli.metrics.codes import class_means
from vae_cli.reporting import plots

TRAVERSED_UNITS = 32  # those with the highest rates
WALKS = 5  # interpolations where the user names none
WALK_STEPS = 11  # of a continuous code
PLANE_SIDE = 20
WIDEST_ROW = 20  # of the codes of one unit


def plane(context: Context, path: Path) -> None:
    codes = context.vae.latent.plane(PLANE_SIDE, context.like)
    assert codes is not None
    ticks = codes[:PLANE_SIDE, 0].tolist()
    names = [f"{v:.1f}" if i % 3 == 0 else "" for i, v in enumerate(ticks)]
    save_grid(
        context, path, context.vae.generate(codes), PLANE_SIDE,
        "The decoded plane: unit 0 to the right, unit 1 upwards, at equal steps of the prior's distribution function",
        column_labels=names, row_labels=names[::-1],
    )  # fmt: skip


def all_codes(context: Context, path: Path) -> None:
    """In the order of numbers whose most significant digit is unit 0."""
    latent = context.vae.latent
    values, units, count = latent.values_per_unit, latent.code_size, latent.code_count
    assert values is not None and count is not None
    reversed_digits = torch.arange(count).view(units * [values]).permute(*reversed(range(units))).flatten()
    codes = latent.codes(reversed_digits.to(context.like.device), context.like)
    rows, columns = _rows_and_columns(values, units)
    where = (
        "the first units select the row, the last units the column"
        if units > 1
        else "one image for each value"
    )
    save_grid(
        context, path, context.vae.generate(codes), len(columns),
        f"All {count} codes of {latent.in_words}, decoded: {where}", row_labels=rows, column_labels=columns,
    )  # fmt: skip


def _rows_and_columns(values: int, units: int) -> tuple[list[str], list[str]]:
    """Their labels. Half of the units select the row; one unit alone fills as many rows as it needs."""
    at_row = units // 2
    if at_row:
        rows = [f"{_digits(i, values, at_row)}…" for i in range(values**at_row)]
        return rows, [f"…{_digits(i, values, units - at_row)}" for i in range(values ** (units - at_row))]
    columns = [str(i) for i in range(min(values, WIDEST_ROW))]
    return [f"{first} +" if first else "" for first in range(0, values, WIDEST_ROW)], columns


def _digits(number: int, base: int, count: int) -> str:
    """The last `count` digits of a number in a base."""
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
    return [(name.format(a, b), context.vae.latent.path(ends[a], ends[b], WALK_STEPS)) for a, b in pairs]


def interpolations(context: Context, path: Path) -> None:
    found = walks(context)
    columns = max(len(codes) for _, codes in found)
    rows = []
    for _, codes in found:
        images = context.vae.generate(codes)
        blank = images.new_full((columns - len(images), images.shape[-1]), 1.0)
        rows.append(torch.cat([images, blank]))
    title = f"Between two codes: {context.vae.latent.walking}"
    save_grid(context, path, torch.cat(rows), columns, title, row_labels=[name for name, _ in found])


def traversals(context: Context, path: Path) -> None:
    latent, base = context.vae.latent, context.vae.encode(context.images(torch.tensor([0]))).mode[0]
    weight, by, unit = _importance(context)
    units = weight.argsort(descending=True)[:TRAVERSED_UNITS].tolist()
    codes, names = latent.traversal(base, units, context.q.mean)
    images = torch.stack([context.vae.generate(row) for row in codes])  # [units, T, D]
    shape = context.data.shape
    if len(names) == 2 and shape[0] == 1:
        images, shape = _with_difference(images), (3, *shape[1:])
        names = [*names, "difference"]
    by_height = plots.magnification(len(units), shape[-2], 1600)
    by_width = plots.magnification(len(names), shape[-1], 260 if len(names) == 3 else 1000)
    labels = [f"unit {k}: {weight[k]:.2f} {unit}" for k in units]
    title = f"Around the code of test image 0: {latent.traversing}; {by} first"
    picture = plots.grid(images.flatten(0, 1).flatten(1), shape, len(names), min(by_width, by_height))
    plots.save(path, picture, title, labels, names)


def _with_difference(images: Tensor) -> Tensor:
    """Grey images [units, 2, D] → coloured ones and what the second has more than the first, [units, 3, 3, D]."""
    difference = plots.signed(images[:, 1] - images[:, 0])
    coloured = images[:, :, None].expand(-1, -1, 3, -1)
    return torch.cat([coloured, difference[:, None]], 1)


def _importance(context: Context) -> tuple[Tensor, str, str]:
    """A number for each unit [K], what comes first, and its unit: the rate or, without a prior, the spread of the codes."""
    if context.vae.prior() is not None:
        return context.rates, "highest rate", "nats"
    spread = context.q.mean.std(0, correction=0)
    return spread.unflatten(0, (-1, context.vae.latent.code_size)).amax(0), "largest spread", "σ"
