"""MNIST and Fashion-MNIST through torchvision, and MNIST's fixed binarization by Larochelle."""

import hashlib
import math
import os
import shutil
import socket
import struct
import tempfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vae_cli.data.dataset import Dataset, Split
from vae_cli.errors import UserError

IDX_FILES = tuple(
    f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)

# "The Neural Autoregressive Distribution Estimator" (Larochelle and Murray, 2011), binarized as in "On the
# Quantitative Analysis of Deep Belief Networks" (Salakhutdinov and Murray, 2008). SHA-256 of each file.
AMAT_URL = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"
AMAT_FILES = {
    "binarized_mnist_train.amat": "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
    "binarized_mnist_valid.amat": "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
    "binarized_mnist_test.amat": "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
}


def mnist(root: str, dataset: str, binarization: str, validation_size: int) -> Dataset:
    """60,000 training images [1, 28, 28], the last `validation_size` of them for validation; 10,000 for test.

    `binarization`: none (grey in [0, 1]); threshold (x > ½); dynamic (training pixels are probabilities,
    redrawn at each use; validation and test drawn once, from a fixed seed); fixed (MNIST's published files,
    which bring their own 50,000/10,000/10,000 and no labels).
    """
    folder = Path(root).expanduser()
    if binarization == "fixed":
        return _fixed(folder)
    train, test = _grey(folder, dataset)
    cut = len(train.images) - validation_size
    if cut < 1:
        raise UserError(
            f"data.validation_size={validation_size} leaves no training image: the training file has "
            f"{len(train.images)}; allowed are 0 to {len(train.images) - 1}"
        )
    assert train.labels is not None
    validation = Split(train.images[cut:], train.labels[cut:])
    grey = Dataset(train.take(cut), validation, test, (1, 28, 28), scale=1 / 255)
    return BINARIZATIONS[binarization](grey)


def _threshold(data: Dataset) -> Dataset:
    train, validation, test = (
        Split((split.images > 127).to(torch.uint8), split.labels)
        for split in (data.train, data.validation, data.test)
    )
    return data._replace(train=train, validation=validation, test=test, scale=1.0)


def _dynamic(data: Dataset) -> Dataset:
    """Training stays grey; the drawn splits are stored as 0 and 255, so that one scale serves all three."""

    def draw(split: Split, stream: int) -> Split:
        uniform = np.random.default_rng([2008, stream]).random(split.images.shape, np.float32)
        return Split((torch.from_numpy(uniform) * 255 < split.images).to(torch.uint8) * 255, split.labels)

    return data._replace(validation=draw(data.validation, 1), test=draw(data.test, 2), redraw=True)


BINARIZATIONS: dict[str, Callable[[Dataset], Dataset]] = {
    "none": lambda data: data,
    "threshold": _threshold,
    "dynamic": _dynamic,
}


def _grey(root: Path, dataset: str) -> tuple[Split, Split]:
    """Training and test file as uint8 splits, downloaded when missing, checked against their own headers."""
    import torchvision.datasets  # here: half a second that other data sets need not wait

    source = getattr(torchvision.datasets, dataset)
    raw = root / dataset / "raw"
    if missing := [name for name in IDX_FILES if not (raw / name).exists()]:
        _download(raw, missing, lambda folder: source(folder, download=True), f"{dataset}/raw")
    counts = [_check_idx(raw / name) for name in IDX_FILES]
    if counts[0::2] != counts[1::2]:
        raise UserError(f"{raw} is corrupt: {counts[0::2]} images, {counts[1::2]} labels; delete its files")
    train, test = source(root, train=True), source(root, train=False)
    return Split(train.data.flatten(1), train.targets), Split(test.data.flatten(1), test.targets)


def _check_idx(path: Path) -> int:
    """The IDX header states the sizes, so a truncated file is known before it is read. Returns the count."""
    dimensions = 3 if "idx3" in path.name else 1
    with path.open("rb") as file:
        header = file.read(4 + 4 * dimensions)
    actual = path.stat().st_size
    if len(header) == 4 + 4 * dimensions and header[:4] == bytes([0, 0, 8, dimensions]):
        count, *side = struct.unpack(f">{dimensions}I", header[4:])
        expected = len(header) + math.prod((count, *side))
        if side not in ([], [28, 28]):
            raise UserError(f"{path} is corrupt: its images are {side[0]}×{side[1]}, not 28×28; delete it")
        if actual == expected:
            return count
        raise UserError(
            f"{path} is truncated or corrupt: {actual} bytes where its header says {expected}; delete it"
        )
    raise UserError(f"{path} is no IDX file of unsigned bytes ({actual} bytes); delete it")


def _fixed(root: Path) -> Dataset:
    folder = root / "binarized_mnist"
    if missing := [name for name in AMAT_FILES if not (folder / name).exists()]:
        _download(folder, missing, lambda temporary: _fetch_amat(Path(temporary), missing), ".")
    train, validation, test = (Split(_read_amat(folder / name)) for name in AMAT_FILES)
    return Dataset(train, validation, test, (1, 28, 28))


def _fetch_amat(folder: Path, names: list[str]) -> None:
    from torchvision.datasets.utils import download_url

    for name in names:
        download_url(AMAT_URL + name, folder, name)
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != AMAT_FILES[name]:
            raise RuntimeError(f"{name} has another SHA-256 than the published file")


def _read_amat(path: Path) -> Tensor:
    """Rows of 784 digits 0 or 1, each followed by one separator: 1,568 bytes a row."""
    content = np.fromfile(path, np.uint8)
    if len(content) == 0 or len(content) % 1568:
        raise UserError(
            f"{path} is truncated or corrupt: {len(content)} bytes are no multiple of 1568; delete it"
        )
    digits = content.reshape(-1, 1568)[:, ::2] - ord("0")
    if digits.max() > 1:
        raise UserError(f"{path} is corrupt: it holds other pixels than 0 and 1; delete it")
    return torch.from_numpy(digits)


def _download(target: Path, names: list[str], fetch: Callable[[str], object], inside: str) -> None:
    """Fetch into a temporary folder beside `target`, then move whole files: nothing partial is ever left there."""
    timeout = socket.getdefaulttimeout()
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=target) as temporary:
            socket.setdefaulttimeout(30)
            fetch(temporary)
            for name in names:
                shutil.move(os.fspath(Path(temporary) / inside / name), os.fspath(target / name))
    except (RuntimeError, OSError, HTTPException) as error:  # URLError is an OSError
        reason = " ".join(str(error).split())[:150]
        raise UserError(
            f"{target} lacks {', '.join(names)}, and the download failed ({reason}); "
            "put them there, or say by data.root=FOLDER where they are"
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
