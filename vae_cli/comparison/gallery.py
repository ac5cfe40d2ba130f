"""All pictures of a comparison, in the order of its page."""

from collections.abc import Callable
from pathlib import Path

from vae_cli.comparison.charts import lines, rate_distortion
from vae_cli.comparison.curves import curves
from vae_cli.comparison.gradients import gradients
from vae_cli.comparison.heat_map import heat_map
from vae_cli.comparison.members import reason
from vae_cli.comparison.samples import samples
from vae_cli.comparison.table import Table

PICTURES: dict[str, Callable[[Table, Path], str | None]] = {
    "heat_map": heat_map,
    "lines": lines,
    "rate_distortion": rate_distortion,
    "gradients": gradients,
    "curves": curves,
    "samples": samples,
}


def draw_all(table: Table, folder: Path) -> tuple[dict[str, tuple[Path, str]], list[str]]:
    """Name → (PNG file, caption) of the pictures that this table gives, and a notice for each that cannot be drawn:
    one odd value must not cost the others, or the table."""
    pictures, notices = {}, []
    for name, draw in PICTURES.items():
        file = folder / f"{name}.png"
        try:
            if caption := draw(table, file):
                pictures[name] = file, caption
        except Exception as error:  # matplotlib and pillow raise errors of many types
            file.unlink(missing_ok=True)
            notices.append(f"{file.name} could not be drawn: {reason(error)}")
    return pictures, notices
