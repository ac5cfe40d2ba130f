"""A small chardata.mat in the format of Omniglot's."""

from pathlib import Path

import numpy as np
from scipy.io import savemat

ALPHABETS = 50


def write_chardata(folder: Path, train: int = 40, test: int = 10) -> dict[str, np.ndarray]:
    """Writes folder/omniglot/chardata.mat, and returns its upright images [N, 28, 28] and labels [N] by name."""
    folder = folder / "omniglot"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    images = {"data": rng.random((train, 28, 28)), "testdata": rng.random((test, 28, 28))}
    labels = {"target": rng.integers(0, ALPHABETS, train), "testtarget": rng.integers(0, ALPHABETS, test)}
    columns = {name: array.transpose(2, 1, 0).reshape(784, -1) for name, array in images.items()}
    one_hot = {name: np.eye(ALPHABETS)[each].T for name, each in labels.items()}
    savemat(folder / "chardata.mat", columns | one_hot | {"targetchar": np.zeros((55, train))})
    return images | labels
