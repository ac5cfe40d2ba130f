"""A checkpoint is read as it was written, or not at all."""

import random
import zipfile
from pathlib import Path

import pytest
import torch

from vae_cli.errors import UserError
from vae_cli.runs import checkpoint

STATE = {"model": {"weight": torch.arange(200.0)}, "objective": {}, "data": {}, "step": 3}
CONFIG = {"epochs": 3, "seed": 0}


@pytest.fixture
def path(tmp_path) -> Path:
    checkpoint.save(tmp_path / "run/best.pt", STATE, CONFIG)
    return tmp_path / "run/best.pt"


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    (tmp_path / "run").mkdir()


def is_refused(path: Path) -> bool:
    try:
        checkpoint.load(path)
    except UserError as error:
        assert str(path) in str(error)
        return True
    return False


def test_a_checkpoint_is_read_as_it_was_written(path):
    state = checkpoint.load(path, CONFIG)
    assert state["step"] == 3 and torch.equal(state["model"]["weight"], STATE["model"]["weight"])


def test_torch_alone_can_read_it_too(path):
    assert torch.load(path, weights_only=True)["step"] == 3


@pytest.mark.parametrize("seed", range(3))
def test_every_flipped_bit_is_noticed(path, seed):
    """At 100 places of the file: in the numbers, the pickle, the directory of the archive, and the checksum itself."""
    content, generator = path.read_bytes(), random.Random(seed)
    for place in [*generator.sample(range(len(content)), 90), *range(len(content) - 60, len(content), 6)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        assert is_refused(path), place


@pytest.mark.parametrize("length", [0, 1, 21, 22, 30, 500, -1, -8, -22, -30])
def test_every_truncated_file_is_noticed(path, length):
    path.write_bytes(path.read_bytes()[:length])
    assert is_refused(path)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_numbers_in_a_checkpoint_of_an_earlier_version_are_noticed(path, seed):
    """It has no checksum of the whole, but the archive has one for each of its files."""
    torch.save(checkpoint.load(path), path)
    assert checkpoint.load(path)["step"] == 3 and checkpoint.identity(path) is None
    content, generator = path.read_bytes(), random.Random(seed)
    numbers = content.index(STATE["model"]["weight"].numpy().tobytes())
    for place in generator.sample(range(numbers, numbers + 800), 50):
        damaged = bytearray(content)
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        assert is_refused(path), place


def test_a_compressed_archive_is_refused_before_it_is_unpacked(path):
    """A thousand times the bytes of the file may be in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", b"\0" * 10**6)
    assert is_refused(path)


@pytest.mark.parametrize("missing", ["config", "model", "objective", "data", "step"])
def test_a_missing_part_is_named(path, missing):
    state = checkpoint.load(path)
    del state[missing]
    torch.save(state, path)
    with pytest.raises(UserError, match=f"it has no {missing}"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    ("damaged", "other", "words"),
    [("best", "last", "checkpoint=last reads it"), ("last", "best", "vae-eval reads it")],
)
def test_a_damaged_checkpoint_is_named_and_the_other_one_is_offered(tmp_path, damaged, other, words):
    paths = {name: tmp_path / f"run/{name}.pt" for name in ("best", "last")}
    for path in paths.values():
        checkpoint.save(path, STATE, CONFIG)
    paths[damaged].write_bytes(paths[damaged].read_bytes()[:-100] + b"x" * 100)
    with pytest.raises(UserError, match=rf"{damaged}.pt is damaged: .*{other}.pt is whole: {words}"):
        checkpoint.load(paths[damaged])
    paths[other].write_bytes(b"")
    with pytest.raises(UserError) as error:
        checkpoint.load(paths[damaged])
    assert "whole" not in str(error.value)


def test_a_checkpoint_names_its_own_checksum(path):
    before = checkpoint.identity(path)
    checkpoint.save(path, STATE, CONFIG)
    assert checkpoint.identity(path) == before
    checkpoint.save(path, STATE | {"step": 4}, CONFIG)
    assert checkpoint.identity(path) != before
