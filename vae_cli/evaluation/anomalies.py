"""What a model is asked to find unlikely: another data set at the run's image size, or a class it has never seen."""

import re
from typing import Any

from vae_cli.build import load_data
from vae_cli.config.compose import data_option
from vae_cli.config.schema.data import DataConfig, MNISTConfig, OmniglotConfig, RectanglesConfig
from vae_cli.data.dataset import Dataset
from vae_cli.data.support import check_support
from vae_cli.errors import UserError
from vae_cli.evaluation.trained import Trained
from vae_cli.runs.files import user_path


def load(what: str, trained: Trained, config: DataConfig) -> Dataset:
    """Data whose test images are the anomalies; `config` is the run's data configuration.

    `what` is digit_N or class_N for a class left out by data.exclude_classes, FILE.npz or FILE.npy for arrays, or the
    name of a data set, whose images are then made or binarized as the run's were.
    Raises UserError for images of another size or outside the likelihood's support.
    """
    if found := re.fullmatch(r"(?:digit|class)_(\d+)", what):
        return _class(what, int(found[1]), config)
    if what == "arrays":
        raise UserError("anomaly=arrays needs a file: anomaly=FILE.npz")
    is_file = what.endswith((".npz", ".npy"))
    if is_file and not user_path(what).exists():
        raise UserError(f"anomaly={what} does not exist")
    try:
        option = data_option("arrays", {"path": what}) if is_file else data_option(what)
    except UserError as error:
        raise UserError(f"anomaly={what}: {error}") from error
    data = load_data(option.model_copy(update=_same(option, trained, config)))
    if data.shape != trained.shape:
        sizes = ("×".join(map(str, shape)) for shape in (data.shape, trained.shape))
        raise UserError("anomaly={} has images of {}, the run has {}".format(what, *sizes))
    try:
        check_support(data, trained.vae.likelihood.support, trained.config.likelihood.name)
    except UserError as error:
        raise UserError(f"anomaly={what}: {error}") from error
    return data


def _same(option: DataConfig, trained: Trained, config: DataConfig) -> dict[str, Any]:
    """What a data set takes over from the run: where files lie, how grey becomes black and white, and the image size,
    with made rectangles in proportion."""
    same: dict[str, Any] = {"root": config.root, "limit": config.limit}
    if isinstance(option, RectanglesConfig):
        for side, pixels in zip(("height", "width"), trained.shape[1:], strict=True):
            before, span = getattr(option, side), getattr(option, f"rectangle_{side}")
            same |= {side: pixels, f"rectangle_{side}": [max(1, round(v * pixels / before)) for v in span]}
    if isinstance(option, MNISTConfig) and isinstance(config, MNISTConfig):
        same["validation_size"] = config.validation_size  # the same files may be behind both
    grey = MNISTConfig | OmniglotConfig
    if isinstance(option, grey) and isinstance(config, grey) and config.binarization != "none":
        # fixed binarization is published for MNIST alone; it was drawn from grey levels, as dynamic is
        same["binarization"] = {"fixed": "dynamic"}.get(config.binarization, config.binarization)
    return same


def _class(what: str, label: int, config: DataConfig) -> Dataset:
    whole = load_data(config.model_copy(update={"exclude_classes": [], "limit": None}))
    labels = whole.test.labels
    known = [] if labels is None else labels.unique().tolist()
    if labels is None or label not in known:
        raise UserError(f"anomaly={what}: there is no class {label}; the data has {known or 'no labels'}")
    if label not in config.exclude_classes:
        raise UserError(
            f"anomaly={what}: the run was trained on that class, its data.exclude_classes is "
            f"{config.exclude_classes}; train with data.exclude_classes=[{label}]"
        )
    return whole._replace(test=whole.test.pick(labels == label)).limit(config.limit)
