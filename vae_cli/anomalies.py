"""What a model is asked to find unlikely: another data set at the run's image size, or a class it has never seen."""

import re
from pathlib import Path
from typing import Any

from vae_cli.config import data_option, load_data
from vae_cli.data import Data, Split, check_support
from vae_cli.errors import UserError
from vae_cli.trained import Trained


def load(what: str, trained: Trained, config: dict[str, Any]) -> Data:
    """Data whose test images are the anomalies; `config` is the run's data configuration.

    `what` is digit_N or class_N for a class left out by data.exclude_classes, FILE.npz or FILE.npy for arrays, or the
    name of a data set, whose images are then made or binarized as the run's were.
    Raises UserError for images of another size or outside the likelihood's support.
    """
    if found := re.fullmatch(r"(?:digit|class)_(\d+)", what):
        return _class(int(found[1]), config)
    _, height, width = trained.shape
    # fixed binarization is published for MNIST alone; it was drawn from grey levels, as dynamic is
    binarization = {"fixed": "dynamic"}.get(config.get("binarization", ""), config.get("binarization"))
    same = {
        "root": config["root"], "limit": config["limit"], "height": height, "width": width,
        **({"binarization": binarization} if binarization else {}),
    }  # fmt: skip
    is_file = what.endswith((".npz", ".npy"))
    if is_file and not Path(what).expanduser().exists():
        raise UserError(f"anomaly={what} does not exist")
    data = load_data(data_option("arrays" if is_file else what, same | ({"path": what} if is_file else {})))
    if data.shape != trained.shape:
        sizes = ("×".join(map(str, shape)) for shape in (data.shape, trained.shape))
        raise UserError("anomaly={} has images of {}, the run has {}".format(what, *sizes))
    try:
        check_support(data, trained.vae.likelihood.support, trained.config["likelihood"]["name"])
    except UserError as error:
        raise UserError(f"anomaly={what}: {error}") from error
    return data


def _class(label: int, config: dict[str, Any]) -> Data:
    if label not in config["exclude_classes"]:
        raise UserError(
            f"anomaly=digit_{label}: the run was trained on that class, its data.exclude_classes is "
            f"{config['exclude_classes']}; train with data.exclude_classes=[{label}]"
        )
    whole = load_data(config | {"exclude_classes": [], "limit": None})
    assert whole.test.labels is not None
    kept = whole.test.labels == label
    test = Split(whole.test.images[kept], whole.test.labels[kept])
    return whole._replace(test=test).limit(config["limit"])
