"""The user's own arrays from an .npz or .npy file. Nothing in the file is unpickled."""

import math
import os
from pathlib import Path

import numpy as np
import torch

from vae_cli.data.dataset import Dataset, Split
from vae_cli.errors import UserError, did_you_mean


def arrays(path: str, train: str, validation: str, test: str, fractions: list[float], seed: int) -> Dataset:
    """Images [N, H, W], [N, C, H, W] or vectors [N, D]; uint8 (grey levels, or only 0 and 1), bool or floating.

    `train`, `validation` and `test` name arrays in the .npz; an integer array `<name>_labels` has the labels of one.
    Where the file has a single array, `seed` shuffles it and `fractions` splits it into train, validation and test.
    """
    found = _load(Path(os.path.expanduser(path)))  # noqa: PTH111, Path.expanduser raises for ~nobody
    names = (train, validation, test)
    missing = [name for name in names if name not in found]
    if not missing:
        images = [_images(path, name, found[name]) for name in names]
        labels = [found.get(f"{name}_labels") for name in names]
    elif len(found) == 1:
        (whole,) = found.values()
        images, labels = _split(_images(path, "its only array", whole), fractions, seed), [None, None, None]
    else:
        raise UserError(
            f"data.path={path} has no array {missing[0]!r}; it has {', '.join(found)}"
            f"{did_you_mean(missing[0], found)} "
            "(name them by data.train, data.validation and data.test, or store one array alone)"
        )
    _check_alike(path, dict(zip(names, images, strict=True)))
    first, second, third = map(_as_split, images, labels)
    return Dataset(first, second, third, _image_shape(images[0]), _scale(images))


def _load(path: Path) -> dict[str, np.ndarray]:
    """Every array of the file by its name; the array of an .npy is called `array`."""
    if not path.exists():
        raise UserError(f"data.path={path} does not exist; it must be an .npz or .npy file")
    try:
        with path.open("rb") as file:  # np.load leaves a file open that it cannot read
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"array": loaded}
            with loaded:
                return {name: loaded[name] for name in loaded.files}
    except Exception as error:  # a corrupt file raises errors of numpy, zipfile, zlib or tokenize
        reason = " ".join(str(error).split())
        if "Object arrays" in reason:
            reason = "it holds Python objects, which are not loaded"
        elif "pickled" in reason:  # numpy takes every unknown file for a pickle
            reason = "it is no NumPy file"
        raise UserError(f"data.path={path} cannot be read as .npz or .npy: {reason}") from error


def _images(path: str, name: str, array: np.ndarray) -> np.ndarray:
    """The array as uint8, float32 or float64. Raises UserError where it is no batch of finite images."""
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
    """The array shuffled, in three parts."""
    order = np.random.default_rng(seed).permutation(len(array))
    first, second = (round(len(array) * f) for f in (fractions[0], fractions[0] + fractions[1]))
    last = round(len(array) * sum(fractions))
    return [array[order[a:b]] for a, b in ((0, first), (first, second), (second, last))]


def _check_alike(path: str, images: dict[str, np.ndarray]) -> None:
    """Raises UserError if the splits have images of different shapes or types."""
    shapes = {name: array.shape[1:] for name, array in images.items()}
    if len(set(shapes.values())) > 1:
        raise UserError(f"data.path={path}: the splits have images of different shapes, {shapes}")
    types = {name: str(array.dtype) for name, array in images.items()}
    if len(set(types.values())) > 1:
        raise UserError(f"data.path={path}: the splits have different types, {types}")


def _scale(images: list[np.ndarray]) -> float:
    """1/255 for grey levels; 1 for floating point, and for integers that are only 0 and 1."""
    is_grey = images[0].dtype == np.uint8 and any((array > 1).any() for array in images)
    return 1 / 255 if is_grey else 1.0


def _image_shape(array: np.ndarray) -> tuple[int, int, int]:
    """(C, H, W). A vector is a square image where its length is a square number, else an image of one row."""
    shape = array.shape[1:]
    if len(shape) == 1:
        side = math.isqrt(shape[0])
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
