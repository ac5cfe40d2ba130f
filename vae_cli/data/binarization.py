"""Black and white images from grey ones, and MNIST's published fixed binarization."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vae_cli.data.dataset import Dataset, Split
from vae_cli.data.download import PublishedFiles, read
from vae_cli.errors import UserError

# "The Neural Autoregressive Distribution Estimator" (Larochelle and Murray, 2011), binarized as in "On the
# Quantitative Analysis of Deep Belief Networks" (Salakhutdinov and Murray, 2008).
FIXED = PublishedFiles(
    mirrors=("http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",),
    checksums={
        "binarized_mnist_train.amat": "sha256:ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
        "binarized_mnist_valid.amat": "sha256:1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
        "binarized_mnist_test.amat": "sha256:e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
    },
)


def threshold(data: Dataset) -> Dataset:
    """White where x > ½."""

    def binarize(split: Split) -> Split:
        return Split((split.images * data.scale > 0.5).to(torch.uint8), split.labels)

    return data.change_splits(binarize)._replace(scale=1.0)


def dynamic(data: Dataset) -> Dataset:
    """Training images stay grey and are redrawn at each use; validation and test images are drawn once.

    White is stored as 255 where grey levels are, so that one scale serves all three splits.
    """
    white = round(1 / data.scale)

    def draw(split: Split, stream: int) -> Split:
        uniform = np.random.default_rng([2008, stream]).random(split.images.shape, np.float32)
        is_white = torch.from_numpy(uniform) * white < split.images
        return Split(is_white.to(torch.uint8) * white, split.labels)

    return data._replace(validation=draw(data.validation, 1), test=draw(data.test, 2), redraw=True)


BINARIZATIONS: dict[str, Callable[[Dataset], Dataset]] = {
    "none": lambda data: data,
    "threshold": threshold,
    "dynamic": dynamic,
}


def fixed(folder: Path) -> Dataset:
    """Larochelle's three files in `folder`: 50,000, 10,000 and 10,000 images without labels."""
    train, validation, test = (Split(_read_amat(path)) for path in FIXED.find(folder))
    return Dataset(train, validation, test, (1, 28, 28))


def _read_amat(path: Path) -> Tensor:
    """Images [N, 784] from rows of 784 digits 0 or 1, each followed by one separator: 1,568 bytes a row."""
    content = np.frombuffer(read(path), np.uint8)
    if len(content) == 0 or len(content) % 1568:
        raise UserError(
            f"{path} is truncated or corrupt: {len(content)} bytes are no multiple of 1568; delete it"
        )
    digits = content.reshape(-1, 1568)[:, ::2] - ord("0")
    if digits.max() > 1:
        raise UserError(f"{path} is corrupt: it holds other pixels than 0 and 1; delete it")
    return torch.from_numpy(digits)
