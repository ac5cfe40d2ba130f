"""`build.load_data` applies the keys that every data set has."""

import numpy as np
import pytest

from vae_cli.build import load_data
from vae_cli.config.schema.data import ArraysConfig
from vae_cli.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 4, 4), dtype=np.uint8)


def arrays_config(tmp_path, sizes: tuple[int, int, int] = (6, 2, 2), **changed: object) -> ArraysConfig:
    """The configuration of `data=arrays` for a file with splits of these sizes and their labels."""
    names = ("train", "validation", "test")
    path = str(tmp_path / "images.npz")
    splits = {name: IMAGES[:size] for name, size in zip(names, sizes, strict=True)}
    np.savez(path, **splits, **{f"{name}_labels": np.arange(len(x)) for name, x in splits.items()})
    keys = {"path": path, "fractions": [0.8, 0.1, 0.1], "seed": 0} | {name: name for name in names}
    common = {"root": "unused", "limit": None, "placement": "auto", "exclude_classes": [], "name": "arrays"}
    target = {"_target_": "vae_cli.data.arrays.arrays"}
    return ArraysConfig.model_validate(target | common | keys | changed)


def test_the_keys_of_every_data_set_are_applied(tmp_path):
    """Classes are excluded first, so that the limit counts the images that are left."""
    data = load_data(arrays_config(tmp_path, limit=3, exclude_classes=[1]))
    assert {name: split.labels.tolist() for name, split in data.splits.items()} == {
        "train": [0, 2, 3],
        "validation": [0],
        "test": [0],
    }
    assert data.train.images[1].tolist() == IMAGES[2].flatten().tolist()


def test_validation_may_be_empty(tmp_path):
    data = load_data(arrays_config(tmp_path, (6, 0, 2)))
    assert [len(split.images) for split in data.splits.values()] == [6, 0, 2]


@pytest.mark.parametrize(
    ("sizes", "split"), [((0, 2, 2), "train"), ((6, 2, 0), "test"), ((0, 0, 0), "train")], ids=str
)
def test_a_split_without_images_is_refused(tmp_path, sizes, split):
    with pytest.raises(UserError, match=f"data=arrays has no {split} images"):
        load_data(arrays_config(tmp_path, sizes))
