"""A user's own arrays: how they are read and split, and which are refused."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_cli.data.arrays import arrays
from vae_cli.errors import UserError

KEYS = {"train": "train", "validation": "validation", "test": "test", "fractions": [0.8, 0.1, 0.1], "seed": 0}


def grey(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def npz(folder: Path, **named: np.ndarray) -> str:
    np.savez(folder / "images.npz", **named)
    return str(folder / "images.npz")


def three(images: np.ndarray) -> dict[str, np.ndarray]:
    return {"train": images[:6], "validation": images[6:8], "test": images[8:]}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((12,), (1, 1, 12)),
        ((16,), (1, 4, 4)),
        ((5, 3), (1, 5, 3)),
        ((3, 4, 2), (3, 4, 2)),
    ],
)
@pytest.mark.parametrize(
    ("convert", "scale"),
    [
        (lambda x: x, 1 / 255),
        (lambda x: x & 1, 1),
        (lambda x: x > 127, 1),
        (lambda x: (x / 255).astype(np.float32), 1),
        (lambda x: x / 255, 1),
        (lambda x: (x / 255).astype(np.float16), 1),
    ],
    ids=["uint8", "uint8 0 1", "bool", "float32", "float64", "float16"],
)
def test_arrays_of_every_allowed_kind_and_rank(tmp_path, shape, expected, convert, scale):
    """Pixels are the file's values (uint8 with values above 1: divided by 255), in C order, and the shape is known."""
    images = convert(grey(10, *shape))
    data = arrays(npz(tmp_path, **three(images)), **KEYS)
    assert data.shape == expected and data.entropy is None and not data.redraw
    x = [data.pixels(s.images, torch.float64) for s in (data.train, data.validation, data.test)]
    wanted = torch.from_numpy(images.reshape(10, -1).astype(np.float64)) * scale
    torch.testing.assert_close(torch.cat(x), wanted, rtol=1e-7, atol=0)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_one_array_is_shuffled_and_split_by_fractions(tmp_path, suffix):
    """Each image is in one split, which the seed decides. Fractions that sum to less than 1 leave the rest out."""
    images = grey(50, 4, 4)
    path = str(tmp_path / f"images.{suffix}")
    np.savez(path, anything=images) if suffix == "npz" else np.save(path, images)

    def splits(**changed: object) -> list[torch.Tensor]:
        return [split.images for split in arrays(path, **(KEYS | changed))[:3]]

    whole = splits()
    assert [len(split) for split in whole] == [40, 5, 5]
    assert sorted(map(bytes, torch.cat(whole).numpy())) == sorted(map(bytes, images.reshape(50, -1)))
    assert torch.equal(torch.cat(whole), torch.cat(splits()))
    assert not torch.equal(torch.cat(whole), torch.cat(splits(seed=1)))
    assert [len(split) for split in splits(fractions=[0.5, 0.0, 0.2])] == [25, 0, 10]


def test_labels_go_with_their_images(tmp_path):
    images, labels = three(grey(10, 4, 4)), three(np.arange(10))
    path = npz(tmp_path, **images, **{f"{name}_labels": array for name, array in labels.items()})
    data = arrays(path, **KEYS)
    assert [s.labels.tolist() for s in data[:3]] == [array.tolist() for array in labels.values()]


def test_arrays_may_have_other_names(tmp_path):
    images = grey(10, 4, 4)
    path = npz(tmp_path, a=images[:6], b=images[6:8], c=images[8:], notes=np.zeros(3))
    data = arrays(path, **(KEYS | {"train": "a", "validation": "b", "test": "c"}))
    assert [len(s.images) for s in data[:3]] == [6, 2, 2]


GOOD = grey(10, 4, 4)
BAD_ARRAYS = {
    "NaN": ({"train": np.full((6, 4), np.nan)}, r"array 'train' has 24 values that are NaN or infinite"),
    "infinite": ({"test": np.array([[1.0, np.inf]])}, r"array 'test' has 1 values that are NaN or infinite"),
    "rank 1": ({"train": np.zeros(6)}, r"array 'train' has shape \(6,\); allowed are \[N, D\], \[N, H, W\]"),
    "rank 5": ({"train": np.zeros((2, 2, 2, 2, 2))}, r"'train' has shape \(2, 2, 2, 2, 2\); allowed are"),
    "no pixels": ({"train": np.zeros((2, 0, 4))}, r"'train' has shape \(2, 0, 4\); allowed are"),
    "integers": ({"train": GOOD.astype(np.int64)}, r"'train' has type int64; allowed are uint8, bool and fl"),
    "complex": ({"train": GOOD.astype(complex)}, r"'train' has type complex128; allowed are uint8"),
    "text": ({"train": np.array([["a", "b"]])}, r"'train' has type <U1; allowed are uint8"),
    "objects": ({"train": np.array([[{}], [2]], object)}, "Python objects, which are not loaded"),
    "other shape": ({"test": grey(2, 4, 5)}, r"different shapes, .*\(4, 4\).*\(4, 5\)"),
    "other type": ({"test": GOOD / 255}, r"different types, .*uint8.*float64"),
    "labels too few": ({"train_labels": np.arange(3)}, r"labels have shape \(3,\).*needed are 6 integers"),
    "labels of text": ({"test_labels": np.array(["a", "b"])}, r"labels .* type <U1; needed are 2 integers"),
}


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_arrays_that_are_not_images_are_refused(tmp_path, kind):
    """The message names key, file, array, what it has and what is allowed."""
    changed, words = BAD_ARRAYS[kind]
    path = npz(tmp_path, **(three(GOOD) | changed))
    with pytest.raises(UserError, match=words) as error:
        arrays(path, **KEYS)
    assert "data.path" in str(error.value) and "\n" not in str(error.value)


def test_objects_are_never_unpickled(tmp_path):
    """Neither from an object array nor from a pickle named .npy. The code in them does not run."""

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    np.save(tmp_path / "a.npy", np.array([[Bomb()]], object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Bomb()))
    for name, words in (("a.npy", "Python objects"), ("b.npy", "no NumPy file")):
        with pytest.raises(UserError, match=words):
            arrays(str(tmp_path / name), **KEYS)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (
            {"train": GOOD, "valid": GOOD, "test": GOOD},
            "no array 'validation'; it has train, valid, test.*'valid'",
        ),
        ({"Train": GOOD, "validation": GOOD, "test": GOOD}, "no array 'train'.* did you mean 'Train'"),
        ({"a": GOOD, "b": GOOD}, "no array 'train'; it has a, b"),
    ],
)
def test_a_missing_array_is_named_with_the_nearest(tmp_path, named, words):
    with pytest.raises(UserError, match=words):
        arrays(npz(tmp_path, **named), **KEYS)


SPOILED = {
    "truncated": lambda content: content[:-200],
    "cut in half": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "text": lambda content: b"no zip at all\n" * 20,
    "a bad byte": lambda content: content[:200] + bytes([content[200] ^ 255]) + content[201:],
}


@pytest.mark.parametrize(
    ("store", "kind"),
    [
        pair
        for pair in itertools.product(("npz", "compressed npz", "npy"), SPOILED)
        if pair != ("npy", "a bad byte")  # only a pixel changes there, and an .npy has no checksum
    ],
)
def test_corrupt_array_files_are_named(tmp_path, store, kind):
    path = tmp_path / ("a.npy" if store == "npy" else "a.npz")
    if store == "npy":
        np.save(path, GOOD)
    else:
        {"npz": np.savez, "compressed npz": np.savez_compressed}[store](path, **three(GOOD))
    path.write_bytes(SPOILED[kind](path.read_bytes()))
    with pytest.raises(UserError) as error:
        arrays(str(path), **KEYS)
    assert str(error.value).startswith(f"data.path={path} cannot be read as .npz or .npy: ")
    assert "\n" not in str(error.value) and str(error.value)[-2:] != ": "


def test_a_missing_array_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"data\.path=.*nothing\.npz does not exist"):
        arrays(str(tmp_path / "nothing.npz"), **KEYS)


def test_two_splits_may_name_the_same_array(tmp_path):
    path = npz(tmp_path, a=GOOD, b=GOOD[:2])
    data = arrays(path, **(KEYS | {"train": "a", "validation": "b", "test": "b"}))
    assert [len(split.images) for split in data.splits.values()] == [10, 2, 2]
