"""All pictures of a comparison, in the order of its page."""

import warnings
from collections.abc import Callable
from pathlib import Path

from vae_cli.comparison.charts import lines, rate_distortion
from vae_cli.comparison.curves import curves
from vae_cli.comparison.heat_map import heat_map
from vae_cli.comparison.samples import samples
from vae_cli.comparison.table import Table

PICTURES: dict[str, Callable[[Table, Path], str | None]] = {
    "heat_map": heat_map,
    "lines": lines,
    "rate_distortion": rate_distortion,
    "curves": curves,
    "samples": samples,
}


def draw_all(table: Table, folder: Path) -> dict[str, tuple[Path, str]]:
    """Name → (PNG file, caption) of the pictures that this table gives."""
    pictures = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a folder's name in any script
        for name, draw in PICTURES.items():
            if caption := draw(table, file := folder / f"{name}.png"):
                pictures[name] = file, caption
    return pictures
