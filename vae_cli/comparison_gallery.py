"""Members overlaid and side by side, and all pictures of a comparison."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vae_cli import comparison_charts as charts
from vae_cli import plots
from vae_cli.compare import Row, Table, show_settings
from vae_cli.members import Member, curve
from vae_cli.sweep import show

MOST = 24  # members overlaid and side by side
TOLD = 3  # settings beside a name
TILES = 10  # of each grid's rows and columns: more would be too small to see
CUT = 0.05  # of the curves' points may lie below the picture: the first steps, and spikes


def curves(table: Table, path: Path) -> str | None:
    found = [(row, member, *curve(member.folder)) for row, member in table.ranked[:MOST]]
    found = [each for each in found if each[3]]
    if not found:
        return None
    from matplotlib import colormaps

    with plots.chart(path, "Learning curves", (9.6, 2.6 + 0.14 * len(found))) as axes:
        for i, (row, member, split, points) in enumerate(found):
            colour = (
                plots.PALETTE[i] if len(found) <= charts.MOST_SERIES else colormaps["viridis"](i / len(found))
            )
            style = "-" if split == "validation" else ":"
            axes.plot(*zip(*points, strict=True), style, color=colour, label=charts.label(title_of(table, row, member)), linewidth=1.2)  # fmt: skip
        elbos = np.array([elbo for *_, points in found for _, elbo in points])
        low, high = np.quantile(elbos, CUT), elbos.max()
        if (entropy := charts.common_entropy(table)) is not None:
            plots.floor(axes, -entropy, f"−entropy {-entropy:.3f}")
            high = max(high, -entropy)
        margin = 0.05 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
        axes.set(xlabel="epoch", ylabel="elbo / nats per image")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)
    return f"The elbo while training{_most(table)}: of validation, dotted of training where there is no validation. Points below the picture are the first steps and spikes."


def samples(table: Table, path: Path) -> str | None:
    """Each member's figures/samples.png without its title and margins, side by side."""
    from matplotlib.image import imread

    files = [(r, m, f) for r, m in table.ranked if (f := m.folder / "figures/samples.png").is_file()][:MOST]
    images = []
    for row, member, file in files:
        try:
            images.append((row, member, trimmed(imread(file))))
        except (OSError, ValueError, SyntaxError):  # half-written: pillow raises each of these
            continue
    if not images:
        return None
    columns = min(4, len(images))
    rows = -(-len(images) // columns)
    with plots.chart(path, "Samples from the prior, best first", (2.6 * columns, 2.95 * rows + 0.3), columns, rows) as panels:  # fmt: skip
        for axes in np.ravel(panels):
            axes.set_axis_off()
        for axes, (row, member, image) in zip(np.ravel(panels), images, strict=False):
            axes.imshow(image)
            mean = (
                f"\n{table.value} {member.figures[table.value]:.3f}" if table.value in member.figures else ""
            )
            axes.set_title(charts.label(title_of(table, row, member), 44) + mean, fontsize=7)
    return f"Samples of each member{_most(table)}, best first, with its name and its {table.value}."


def trimmed(image: np.ndarray) -> np.ndarray:
    """The first rows and columns within the grey lines that `plots.grid` draws; all of an image without them."""
    grey = (np.abs(image[..., :3] - plots.GAP) < 0.01).all(-1)
    lines = [np.flatnonzero(grey.mean(axis) > 0.5) for axis in (1, 0)]
    if min(map(len, lines)) < 2:
        return image
    top, left = (
        slice(line[0], line[np.flatnonzero(np.diff(line, prepend=-2) > 1)][: TILES + 1][-1] + 1)
        for line in lines
    )
    return image[top, left]


def _most(table: Table) -> str:
    n = len(table.ranked)
    return f" of the best {MOST} of {n:,} members" if n > MOST else ""


def title_of(table: Table, row: Row, member: Member) -> str:
    """A member's name, and its settings where they are few and the name does not tell them."""
    told = len(table.columns) > TOLD or all(
        f"{c}={show(v)}" in member.name for c, v in row.settings.items() if v is not None
    )
    return member.name if told else f"{member.name} ({show_settings(row, table.columns)})"


PICTURES: dict[str, Callable[[Table, Path], str | None]] = {
    "heat_map": charts.heat_map,
    "lines": charts.lines,
    "rate_distortion": charts.rate_distortion,
    "curves": curves,
    "samples": samples,
}


def draw_all(table: Table, folder: Path) -> dict[str, str]:
    """Name → caption of the pictures that were written, as NAME.png."""
    captions = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a folder's name in any script
        for name, draw in PICTURES.items():
            if caption := draw(table, folder / f"{name}.png"):
                captions[name] = caption
    return captions
