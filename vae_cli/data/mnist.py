"""MNIST and Fashion-MNIST from their published IDX files."""

import math
import os
import struct
from pathlib import Path

import numpy as np
import torch

from vae_cli.data.binarization import BINARIZATIONS, fixed
from vae_cli.data.dataset import Dataset, Split
from vae_cli.data.download import PublishedFiles, read
from vae_cli.errors import UserError

IDX_FILES = tuple(
    f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)


def _published(*mirrors: str, md5: tuple[str, ...]) -> PublishedFiles:
    checksums = {name: f"md5:{checksum}" for name, checksum in zip(IDX_FILES, md5, strict=True)}
    return PublishedFiles(mirrors, checksums, packed=True)


SOURCES = {
    "MNIST": _published(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
        md5=(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    "FashionMNIST": _published(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        md5=(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
}


def mnist(root: str, dataset: str, binarization: str, validation_size: int) -> Dataset:
    """60,000 training images [1, 28, 28], the last `validation_size` of them for validation; 10,000 test images.

    `binarization` is one of: none (grey in [0, 1]); threshold (white where x > ½); dynamic (training pixels are
    probabilities, redrawn at each use; validation and test images are drawn once, from a fixed seed); fixed
    (MNIST's published files, with splits of 50,000, 10,000 and 10,000 images and no labels).
    """
    folder = Path(os.path.expanduser(root))  # noqa: PTH111, Path.expanduser raises for ~nobody
    if binarization == "fixed":
        return fixed(folder / "binarized_mnist")
    train, test = _grey(folder / dataset / "raw", SOURCES[dataset])
    cut = len(train.images) - validation_size
    if cut < 1:
        raise UserError(
            f"data.validation_size={validation_size} leaves no training image: the training file has "
            f"{len(train.images)}; allowed are 0 to {len(train.images) - 1}"
        )
    last = torch.arange(cut, len(train.images))
    return BINARIZATIONS[binarization](
        Dataset(train.take(cut), train.pick(last), test, (1, 28, 28), scale=1 / 255)
    )


def _grey(folder: Path, source: PublishedFiles) -> tuple[Split, Split]:
    """Training and test images [N, 784] of 0…255 with their labels."""
    paths = source.find(folder)
    images, labels = (
        [_read_idx(path, 28, 28) for path in paths[0::2]],
        [_read_idx(path) for path in paths[1::2]],
    )
    counts = [[len(array) for array in arrays] for arrays in (images, labels)]
    if counts[0] != counts[1]:
        raise UserError(f"{folder} is corrupt: {counts[0]} images, {counts[1]} labels; delete its files")
    train, test = (
        Split(torch.from_numpy(x.reshape(len(x), -1)), torch.from_numpy(y.astype(np.int64)))
        for x, y in zip(images, labels, strict=True)
    )
    return train, test


def _read_idx(path: Path, *item: int) -> np.ndarray:
    """An IDX file of unsigned bytes [N, *item]; its header states the sizes, which shows whether it is whole."""
    content = read(path)
    dimensions = 1 + len(item)
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, 8, dimensions]):
        raise UserError(f"{path} is no IDX file of unsigned bytes ({len(content)} bytes); delete it")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    if shape[1:] != item:
        raise UserError(f"{path} is corrupt: its images are {shape[1]}×{shape[2]}, not 28×28; delete it")
    expected = start + math.prod(shape)
    if len(content) != expected:
        raise UserError(
            f"{path} is truncated or corrupt: {len(content)} bytes where its header says {expected}; delete it"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
