"""Omniglot as the experiments on auto-encoders use it: one file of 28×28 images."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vae_cli.data.binarization import BINARIZATIONS
from vae_cli.data.dataset import Dataset, Split
from vae_cli.data.download import PublishedFiles, read
from vae_cli.errors import UserError

# "Importance Weighted Autoencoders" (Burda et al., 2016), arXiv:1509.00519, which made it of the drawings of
# "Human-level concept learning through probabilistic program induction" (Lake et al., 2015)
SOURCE = PublishedFiles(
    mirrors=("https://raw.githubusercontent.com/yburda/iwae/master/datasets/OMNIGLOT/",),
    checksums={"chardata.mat": "md5:21ecaf34373511aa7691cf2e0802aa3d"},
)


def omniglot(root: str, binarization: str, validation_size: int) -> Dataset:
    """24,345 training images [1, 28, 28], of which `validation_size` chosen by a fixed seed are for validation; 8,070 test
    images. Labels are the numbers of the 50 alphabets.

    `binarization` is one of: none (grey in [0, 1]); threshold (white where x > ½); dynamic (training pixels are
    probabilities, redrawn at each use; validation and test images are drawn once, from a fixed seed).
    """
    (path,) = SOURCE.find(Path(os.path.expanduser(root)) / "omniglot")  # noqa: PTH111, Path.expanduser raises for ~nobody
    content = _read(path)
    train = _split(path, content, "data", "target")
    test = _split(path, content, "testdata", "testtarget")
    cut = len(train.images) - validation_size
    if cut < 1:
        raise UserError(
            f"data.validation_size={validation_size} leaves no training image: {path} has {len(train.images)}; "
            f"allowed are 0 to {len(train.images) - 1}"
        )
    order = torch.from_numpy(np.random.RandomState(123).permutation(len(train.images)))
    parts = Dataset(train.pick(order[:cut]), train.pick(order[cut:]), test, (1, 28, 28))
    return BINARIZATIONS[binarization](parts)


def _read(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat  # here, because it takes 0.1 s

    content = io.BytesIO(read(path))
    try:
        return loadmat(content, variable_names=["data", "target", "testdata", "testtarget"])
    except Exception as error:  # a corrupt file raises errors of scipy, numpy, struct or zlib
        raise UserError(f"{path} is no MATLAB file, or corrupt ({error}); delete it") from error


def _split(path: Path, content: dict[str, Any], images: str, labels: str) -> Split:
    """Images [N, 784] in [0, 1], from columns that run down the columns of an image; labels from one-hot columns."""
    if absent := [name for name in (images, labels) if name not in content]:
        raise UserError(f"{path} is not Omniglot's: it has no array {absent[0]!r}; delete it")
    pixels, one_hot = content[images], content[labels]
    if pixels.ndim != 2 or pixels.shape[0] != 784 or one_hot.shape[1:] != pixels.shape[1:]:
        raise UserError(
            f"{path} is not Omniglot's: {images!r} has shape {pixels.shape} and {labels!r} {one_hot.shape}, not "
            "(784, N) and (50, N); delete it"
        )
    if not (pixels.dtype.kind in "fui" and pixels.size and pixels.min() >= 0 and pixels.max() <= 1):
        raise UserError(f"{path} is corrupt: {images!r} has pixels outside of 0 to 1; delete it")
    upright = pixels.T.astype(np.float32).reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    return Split(torch.from_numpy(np.ascontiguousarray(upright)), torch.from_numpy(one_hot.argmax(0)))
