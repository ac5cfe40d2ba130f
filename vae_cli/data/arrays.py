"""The user's own arrays, from .npz or .npy, never unpickled."""

import math
from pathlib import Path

import numpy as np
import torch

from vae_cli.data.dataset import Dataset, Split
from vae_cli.errors import UserError, did_you_mean


def arrays(path: str, train: str, validation: str, test: str, fractions: list[float], seed: int) -> Dataset:
    """Images [N, H, W], [N, C, H, W] or vectors [N, D]; uint8 (grey levels, or only 0 and 1), bool or floating.

    `train`, `validation` and `test` name arrays of the .npz; labels, if any, are `<name>_labels`. A file with
    one array is shuffled by `seed` and split by `fractions` (of train, validation and test).
    """
    found = _load(Path(path).expanduser())
    names = (train, validation, test)
    images = {name: found[name] for name in names if name in found}
    if len(images) == 3:
        labels = {name: found.get(f"{name}_labels") for name in names}
    elif len(found) == 1:
        (whole,) = found.values()
        parts = _split(_numbers(path, "its only array", whole), fractions, seed)
        images, labels = dict(zip(names, parts, strict=True)), dict.fromkeys(names)
    else:
        missing = next(name for name in names if name not in found)
        raise UserError(
            f"data.path={path} has no array {missing!r}; it has {', '.join(found)}{did_you_mean(missing, found)} "
            "(name them by data.train, data.validation and data.test, or store one array alone)"
        )
    checked = {name: _numbers(path, name, array) for name, array in images.items()}
    shapes = {name: array.shape[1:] for name, array in checked.items()}
    if len(set(shapes.values())) > 1:
        raise UserError(f"data.path={path}: the splits have images of different shapes, {shapes}")
    kinds = {name: str(array.dtype) for name, array in checked.items()}
    if len(set(kinds.values())) > 1:
        raise UserError(f"data.path={path}: the splits have different types, {kinds}")
    scale = 1.0
    if checked[train].dtype == np.uint8 and any((a > 1).any() for a in checked.values()):
        scale = 1 / 255
    first, second, third = (_as_split(checked[name], labels[name]) for name in names)
    return Dataset(first, second, third, _image_shape(checked[train]), scale)


def _load(path: Path) -> dict[str, np.ndarray]:
    """Every array of the file by name; a .npy has one, called `array`."""
    if not path.exists():
        raise UserError(f"data.path={path} does not exist; it must be an .npz or .npy file")
    try:
        with path.open("rb") as file:  # np.load leaves a file open that it cannot read
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"array": loaded}
            with loaded:
                return {name: loaded[name] for name in loaded.files}
    except Exception as error:  # numpy, zipfile, zlib and tokenize each have their own for a corrupt file
        reason = " ".join(str(error).split())
        if "Object arrays" in reason:
            reason = "it holds Python objects, which are not loaded"
        elif "pickled" in reason:  # numpy's guess at whatever it does not know
            reason = "it is no NumPy file"
        raise UserError(f"data.path={path} cannot be read as .npz or .npy: {reason}") from error


def _numbers(path: str, name: str, array: np.ndarray) -> np.ndarray:
    """The array as uint8, float32 or float64; refused if it is no batch of finite images."""
    where = f"data.path={path}, array {name!r}"
    if array.ndim not in (2, 3, 4) or 0 in array.shape[1:]:
        raise UserError(f"{where} has shape {array.shape}; allowed are [N, D], [N, H, W] and [N, C, H, W]")
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise UserError(f"{where} has type {array.dtype}; allowed are uint8, bool and floating point")
    if not np.isfinite(array).all():
        raise UserError(f"{where} has {int((~np.isfinite(array)).sum())} values that are NaN or infinite")
    return array.astype(np.float32) if array.dtype != np.float64 else array


def _split(array: np.ndarray, fractions: list[float], seed: int) -> list[np.ndarray]:
    order = np.random.default_rng(seed).permutation(len(array))
    first, second = (round(len(array) * f) for f in (fractions[0], fractions[0] + fractions[1]))
    last = round(len(array) * sum(fractions))
    return [array[order[a:b]] for a, b in ((0, first), (first, second), (second, last))]


def _image_shape(array: np.ndarray) -> tuple[int, int, int]:
    """(C, H, W). A vector is a one-row image, or a square one where its length is a square number."""
    shape = array.shape[1:]
    if len(shape) == 1:
        side = int(np.sqrt(shape[0]))
        shape = (side, side) if side * side == shape[0] else (1, shape[0])
    return (1, *shape) if len(shape) == 2 else shape


def _as_split(images: np.ndarray, labels: np.ndarray | None) -> Split:
    if labels is not None and (labels.shape != images.shape[:1] or labels.dtype.kind not in "iu"):
        raise UserError(
            f"data.path: labels have shape {labels.shape} and type {labels.dtype}; "
            f"needed are {len(images)} integers"
        )
    flat = torch.from_numpy(np.ascontiguousarray(images.reshape(len(images), math.prod(images.shape[1:]))))
    return Split(flat, None if labels is None else torch.from_numpy(labels.astype(np.int64)))
