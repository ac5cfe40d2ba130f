"""Data files as their publishers offer them, for the tests of this folder."""

from pathlib import Path

import numpy as np
import torch
from conftest import SUBSET

from vae_cli.data.binarization import FIXED

RAW = SUBSET / "MNIST/raw"
AMAT_FILES = tuple(FIXED.checksums)


def raw_images(name: str) -> torch.Tensor:
    """An IDX image file of the subset, [N, 784], read without its header."""
    return torch.from_numpy(np.fromfile(RAW / name, np.uint8, offset=16).reshape(-1, 784))


def write_amat(folder: Path, counts: tuple[int, int, int] = (30, 20, 10)) -> list[np.ndarray]:
    """Writes three files in Larochelle's format, rows of 784 digits "0 1 … 0\\n", and returns their pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 2, (n, 784), dtype=np.uint8) for n in counts]
    for name, rows in zip(AMAT_FILES, pixels, strict=True):
        (folder / name).write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    return pixels


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, by its relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
