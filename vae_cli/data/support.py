"""Whether a data set's pixels are values that a likelihood is defined on."""

from vae_cli.data.dataset import Dataset
from vae_cli.errors import UserError


def check_support(data: Dataset, support: tuple[float, float] | None, likelihood: str) -> None:
    """Raises UserError for pixels outside the likelihood's support (low, high); None is the whole real line."""
    if support is None:
        return
    splits = [split.images for split in data.splits.values() if len(split.images)]
    low = min(float(images.min()) for images in splits) * data.scale
    high = max(float(images.max()) for images in splits) * data.scale
    if low < support[0] or high > support[1]:
        raise UserError(
            f"likelihood={likelihood} needs pixels in [{support[0]:g}, {support[1]:g}], the data has "
            f"[{low:g}, {high:g}]; scale the data, or use likelihood=gaussian or likelihood=unit_gaussian"
        )


def is_binary(data: Dataset) -> bool:
    """Whether every training pixel is 0 or 1."""
    white = round(1 / data.scale)  # as it is stored
    images = data.train.images
    return data.redraw or bool(((images == 0) | (images == white)).all())
