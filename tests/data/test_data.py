"""Data sets: what is made, read, downloaded, binarized, corrupted and refused."""

import gzip
import hashlib
import itertools
import math
import pickle
import shutil
from collections import Counter
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch import Generator

from vae_cli.build import load_data
from vae_cli.data import arrays as arrays_module
from vae_cli.data import mnist as mnist_module
from vae_cli.data.arrays import arrays
from vae_cli.data.batches import batches, epoch_order
from vae_cli.data.corruption import Clean, GaussianNoise, Masking, SaltAndPepper
from vae_cli.data.dataset import Dataset, Split
from vae_cli.data.mnist import AMAT_FILES, IDX_FILES, mnist
from vae_cli.data.rectangles import entropy, rectangles
from vae_cli.data.support import check_support, is_binary
from vae_cli.errors import UserError

SUBSET = Path(__file__).parents[1] / "data"
RAW = SUBSET / "MNIST/raw"
CPU = torch.device("cpu")
Z = 4.0  # threshold of every statistical test here, in standard errors; seeds are fixed


def raw_images(name: str) -> torch.Tensor:
    """An IDX image file [N, 784], read without torchvision."""
    return torch.from_numpy(np.fromfile(RAW / name, np.uint8, offset=16).reshape(-1, 784))


def chi_square_z(counts: np.ndarray, expected: np.ndarray) -> float:
    """Pearson's statistic, standardized by its mean df and its variance, about 2 df."""
    df = len(counts) - 1
    return (((counts - expected) ** 2 / expected).sum() - df) / math.sqrt(2 * df)


# --- rectangles ---------------------------------------------------------------------------------------------

SQUARES = {"height": 24, "width": 24, "rectangle_height": (9, 9), "rectangle_width": (9, 9)}
SMALL = {"height": 5, "width": 4, "rectangle_height": (2, 3), "rectangle_width": (1, 4)}
DEFAULT = {"height": 24, "width": 24, "rectangle_height": (4, 12), "rectangle_width": (4, 12)}


def make(shape: dict, train: int = 300, validation: int = 100, test: int = 100, seed: int = 0) -> Dataset:
    return rectangles(**shape, train_size=train, validation_size=validation, test_size=test, seed=seed)


def enumerated(height: int, width: int, heights: tuple[int, int], widths: tuple[int, int]) -> dict:
    """Every possible image and its probability, from the definition, by brute force."""
    found: Counter = Counter()
    sizes = [*itertools.product(range(heights[0], heights[1] + 1), range(widths[0], widths[1] + 1))]
    for h, w in sizes:
        corners = [*itertools.product(range(height - h + 1), range(width - w + 1))]
        for top, left in corners:
            image = np.zeros((height, width), np.uint8)
            image[top : top + h, left : left + w] = 1
            found[image.tobytes()] += 1 / len(sizes) / len(corners)
    return dict(found)


@pytest.mark.parametrize("shape", [SMALL, DEFAULT, SQUARES], ids=["small", "default", "squares"])
def test_each_image_is_one_filled_rectangle_within_the_ranges(shape):
    """Its bounding box is full, and as high and wide as the ranges allow; both ends of each range occur."""
    images = make(shape).train.images.reshape(-1, shape["height"], shape["width"])
    assert images.dtype == torch.uint8
    seen = {"height": set(), "width": set()}
    for image in images:
        rows, columns = image.any(1).nonzero().flatten(), image.any(0).nonzero().flatten()
        h, w = (int(side[-1] - side[0]) + 1 for side in (rows, columns))
        assert int(image.sum()) == h * w and image.max() == 1
        seen["height"].add(h)
        seen["width"].add(w)
    for side, lengths in seen.items():
        low, high = shape[f"rectangle_{side}"]
        assert lengths == set(range(low, high + 1))


@pytest.mark.parametrize("shape", [SMALL, SQUARES], ids=["small", "squares"])
def test_entropy_is_that_of_the_enumerated_distribution(shape):
    probabilities = np.array([*enumerated(*shape.values()).values()])
    assert probabilities.sum() == pytest.approx(1)
    brute = -(probabilities * np.log(probabilities)).sum()
    assert entropy(*shape.values()) == pytest.approx(brute, abs=1e-12)
    assert make(shape).entropy == pytest.approx(brute, abs=1e-12)


def test_squares_are_256_images_of_entropy_ln_256():
    assert len(enumerated(*SQUARES.values())) == 256
    assert entropy(*SQUARES.values()) == pytest.approx(math.log(256), abs=1e-12)


@pytest.mark.parametrize("shape", [SMALL, SQUARES], ids=["small", "squares"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_images_have_the_stated_probabilities(shape, split):
    """Chi-square over all possible images."""
    n = 20_000
    images = getattr(make(shape, train=n, test=n), split).images.numpy()
    counts = Counter(image.tobytes() for image in images)
    probability = enumerated(*shape.values())
    assert counts.keys() <= probability.keys()
    observed = np.array([counts[image] for image in probability])
    assert abs(chi_square_z(observed, n * np.array([*probability.values()]))) < Z


def test_same_seed_same_data_another_seed_other_data():
    a, b, c = make(DEFAULT), make(DEFAULT), make(DEFAULT, seed=1)
    for split in ("train", "validation", "test"):
        assert torch.equal(getattr(a, split).images, getattr(b, split).images)
        assert not torch.equal(getattr(a, split).images, getattr(c, split).images)


def test_splits_are_drawn_independently_of_each_other():
    """At one index, two splits have the same of 256 squares as often as chance has it."""
    n = 20_000
    data = make(SQUARES, train=n, validation=n, test=n)
    for a, b in itertools.combinations((data.train, data.validation, data.test), 2):
        same = (a.images == b.images).all(1).double().mean().item()
        p = 1 / 256
        assert abs(same - p) < Z * math.sqrt(p * (1 - p) / n)


def test_test_images_come_from_their_own_seed():
    """They do not change with the size of the other splits."""
    a, b = make(DEFAULT, train=10, validation=0), make(DEFAULT, train=500, validation=50)
    assert torch.equal(a.test.images, b.test.images)
    assert len(a.validation.images) == 0


# --- MNIST --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("validation_size", [0, 1, 100, 399])
def test_mnist_is_grey_and_validates_on_the_files_end(validation_size):
    """x = grey level / 255, in the files' own order, the validation images last."""
    data = mnist(str(SUBSET), "MNIST", "none", validation_size)
    train, test = raw_images("train-images-idx3-ubyte"), raw_images("t10k-images-idx3-ubyte")
    cut = 400 - validation_size
    assert torch.equal(data.train.images, train[:cut])
    assert torch.equal(data.validation.images, train[cut:])
    assert torch.equal(data.test.images, test)
    assert data.shape == (1, 28, 28) and not data.redraw and data.entropy is None
    x = data.pixels(data.test.images, torch.float64)
    torch.testing.assert_close(x, test.double() / 255, rtol=1e-15, atol=0)
    assert x.max() == 1 and ((x > 0) & (x < 1)).any()
    labels = np.fromfile(RAW / "train-labels-idx1-ubyte", np.uint8, offset=8)
    assert [*data.train.labels, *data.validation.labels] == labels.tolist()


@pytest.mark.parametrize("validation_size", [400, 10_000])
def test_validation_size_must_leave_training_images(validation_size):
    with pytest.raises(UserError, match=rf"data\.validation_size={validation_size} .*allowed are 0 to 399"):
        mnist(str(SUBSET), "MNIST", "none", validation_size)


def test_threshold_is_at_one_half():
    data = mnist(str(SUBSET), "MNIST", "threshold", 100)
    for split, name, part in (
        (data.train, "train", slice(0, 300)),
        (data.validation, "train", slice(300, 400)),
        (data.test, "t10k", slice(None)),
    ):
        expected = raw_images(f"{name}-images-idx3-ubyte")[part].double() / 255 > 0.5
        assert torch.equal(data.pixels(split.images, torch.float32), expected.float())


def test_dynamic_training_pixels_are_redrawn_with_their_intensity_as_probability():
    """Per pixel Σz² is about the number of pixels, by the binomial's exact fourth moment; 0 and 1 stay."""
    data = mnist(str(SUBSET), "MNIST", "dynamic", 100)
    images, draws, generator = data.train.images[:20], 200, Generator().manual_seed(0)
    x = [data.targets(images, generator, torch.float64) for _ in range(draws)]
    assert not torch.equal(x[0], x[1])
    total = torch.stack(x)
    assert ((total == 0) | (total == 1)).all()
    p = images.double() / 255
    grey = (p > 0) & (p < 1)
    mean, p_grey = total.mean(0)[grey], p[grey]
    assert torch.equal(total.mean(0)[~grey], p[~grey])
    variance = p_grey * (1 - p_grey)
    squares = (mean - p_grey) ** 2 / (variance / draws)
    spread = (2 + (1 - 6 * variance) / (draws * variance)).sum().sqrt()
    assert abs(squares.sum() - len(squares)) < Z * spread
    assert abs((mean - p_grey).sum()) < Z * (variance / draws).sum().sqrt()


def test_dynamic_validation_and_test_are_drawn_once():
    """The same black and white images whenever they are loaded, with the right mean; streams of their own."""
    a = mnist(str(SUBSET), "MNIST", "dynamic", 100)
    b = mnist(str(SUBSET), "MNIST", "dynamic", 50)
    assert a.redraw and torch.equal(a.test.images, b.test.images)
    assert torch.equal(a.validation.images, mnist(str(SUBSET), "MNIST", "dynamic", 100).validation.images)
    for split, grey in (
        (a.validation, raw_images("train-images-idx3-ubyte")[300:]),
        (a.test, raw_images("t10k-images-idx3-ubyte")),
    ):
        x, p = a.pixels(split.images, torch.float64), grey.double() / 255
        assert ((x == 0) | (x == 1)).all()
        assert torch.equal(x[(p == 0) | (p == 1)], p[(p == 0) | (p == 1)])
        assert abs((x - p).sum()) < Z * (p * (1 - p)).sum().sqrt()


def write_amat(folder: Path, counts: tuple[int, int, int] = (30, 20, 10)) -> list[np.ndarray]:
    """Three files in Larochelle's format, rows of 784 digits: "0 1 … 0\\n"."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 2, (n, 784), dtype=np.uint8) for n in counts]
    for name, rows in zip(AMAT_FILES, pixels, strict=True):
        (folder / name).write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    return pixels


def test_fixed_binarization_reads_the_published_format(tmp_path):
    pixels = write_amat(tmp_path / "binarized_mnist")
    data = mnist(str(tmp_path), "MNIST", "fixed", 10_000)
    for split, expected in zip((data.train, data.validation, data.test), pixels, strict=True):
        assert torch.equal(data.pixels(split.images, torch.float32), torch.from_numpy(expected).float())
        assert split.labels is None
    assert data.shape == (1, 28, 28) and is_binary(data) and not data.redraw


@pytest.mark.parametrize("binarization", ["none", "threshold", "dynamic"])
def test_fashion_mnist_has_the_same_format(tmp_path, binarization):
    shutil.copytree(RAW, tmp_path / "FashionMNIST/raw")
    ours = mnist(str(tmp_path), "FashionMNIST", binarization, 100)
    theirs = mnist(str(SUBSET), "MNIST", binarization, 100)
    for split in ("train", "validation", "test"):
        assert torch.equal(getattr(ours, split).images, getattr(theirs, split).images)


# --- files that are missing, truncated or corrupt -----------------------------------------------------------


def cut(content: bytes) -> bytes:
    return content[:-100]


CORRUPT = {
    "truncated": (cut, "truncated or corrupt"),
    "longer": (lambda content: content + b"\0", "truncated or corrupt"),
    "empty": (lambda content: b"", "no IDX file"),
    "half a header": (lambda content: content[:6], "no IDX file"),
    "a web page": (lambda content: b"<html>not found</html>" * 40, "no IDX file"),
    "still gzipped": (gzip.compress, "no IDX file"),
}


@pytest.mark.parametrize("name", IDX_FILES)
@pytest.mark.parametrize("kind", CORRUPT)
def test_a_corrupt_idx_file_is_named(tmp_path, name, kind):
    shutil.copytree(SUBSET / "MNIST", tmp_path / "MNIST")
    file = tmp_path / "MNIST/raw" / name
    spoil, words = CORRUPT[kind]
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(UserError, match=words) as error:
        mnist(str(tmp_path), "MNIST", "none", 100)
    assert str(file) in str(error.value) and "delete it" in str(error.value)


def test_idx_files_that_do_not_belong_together_are_refused(tmp_path):
    """As many labels as images, and images of 28×28."""
    shutil.copytree(SUBSET / "MNIST", tmp_path / "MNIST")
    raw = tmp_path / "MNIST/raw"
    shutil.copy(raw / "t10k-labels-idx1-ubyte", raw / "train-labels-idx1-ubyte")
    with pytest.raises(UserError, match=r"corrupt: \[400, 100\] images, \[100, 100\] labels"):
        mnist(str(tmp_path), "MNIST", "none", 100)
    content = (raw / "t10k-images-idx3-ubyte").read_bytes()
    (raw / "t10k-images-idx3-ubyte").write_bytes(
        content[:8] + bytes([0, 0, 0, 14, 0, 0, 0, 56]) + content[16:]
    )
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte is corrupt: its images are 14×56"):
        mnist(str(tmp_path), "MNIST", "none", 100)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, "truncated or corrupt"),
        (lambda content: b"", "truncated or corrupt"),
        (lambda content: content.replace(b"1", b"2", 1), "other pixels than 0 and 1"),
    ],
    ids=["truncated", "empty", "a digit 2"],
)
def test_a_corrupt_amat_file_is_named(tmp_path, spoil, words):
    write_amat(tmp_path / "binarized_mnist")
    file = tmp_path / "binarized_mnist/binarized_mnist_valid.amat"
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(UserError, match=words) as error:
        mnist(str(tmp_path), "MNIST", "fixed", 100)
    assert str(file) in str(error.value)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Mirror:
    """Stands for the network: serves the files given, and breaks at the `breaks_at`-th as `how` says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
        self.files, self.how, self.breaks_at, self.served = files, "", 0, 0
        utils = "torchvision.datasets.utils"
        monkeypatch.setattr(f"{utils}._get_redirect_url", lambda url, max_hops: url)
        monkeypatch.setattr(f"{utils}._urlretrieve", self.retrieve)

    def fail(self, how: str, at: int) -> None:
        self.how, self.breaks_at, self.served = how, at, 0

    def retrieve(self, url: str, filename: str, chunk_size: int = 0) -> None:
        self.served += 1
        content = self.files[url.rpartition("/")[2]]
        if not self.how or self.served < self.breaks_at:
            Path(filename).write_bytes(content)
            return
        if self.how != "no network":
            Path(filename).write_bytes(content[: len(content) // 2])
        errors = {
            "no network": URLError("Name or service not known"),
            "connection reset": ConnectionResetError("reset by peer"),
            "connection closed": IncompleteRead(b"", 7),
            "disk full": OSError(28, "No space left on device"),
            "Ctrl-C": KeyboardInterrupt(),
        }
        if self.how in errors:  # else the server says that half the file is all of it
            raise errors[self.how]


FAILURES = ["no network", "connection reset", "connection closed", "disk full", "Ctrl-C", "half a file"]


@pytest.fixture
def idx_mirror(monkeypatch):
    files = {f"{name}.gz": gzip.compress((RAW / name).read_bytes(), 1) for name in IDX_FILES}
    md5 = [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]
    for source in ("MNIST", "FashionMNIST"):
        monkeypatch.setattr(f"torchvision.datasets.{source}.resources", md5)
        monkeypatch.setattr(f"torchvision.datasets.{source}.mirrors", ["http://mirror/"])
    return Mirror(monkeypatch, files)


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("dataset", ["MNIST", "FashionMNIST"])
def test_a_failed_download_leaves_nothing_and_the_next_try_is_good(tmp_path, idx_mirror, dataset, how):
    """What was there before stays as it was; the error names the folder, the missing files and the key."""
    raw = tmp_path / dataset / "raw"
    raw.mkdir(parents=True)
    shutil.copy(RAW / IDX_FILES[0], raw)
    before = contents(tmp_path)
    idx_mirror.fail(how, at=3)
    with pytest.raises(KeyboardInterrupt if how == "Ctrl-C" else UserError) as error:
        mnist(str(tmp_path), dataset, "none", 100)
    assert contents(tmp_path) == before
    assert not [p for p in tmp_path.rglob("*") if "partial" in p.name]
    if how != "Ctrl-C":
        message = str(error.value)
        assert all(word in message for word in (str(raw), *IDX_FILES[1:], "data.root="))
        assert IDX_FILES[0] not in message and "\n" not in message
    idx_mirror.fail("", at=0)
    data = mnist(str(tmp_path), dataset, "none", 100)
    assert torch.equal(data.test.images, raw_images("t10k-images-idx3-ubyte"))
    assert contents(raw) == contents(RAW)


def test_with_no_network_all_four_files_are_named(tmp_path, idx_mirror):
    idx_mirror.fail("no network", at=1)
    with pytest.raises(UserError) as error:
        mnist(str(tmp_path), "MNIST", "none", 100)
    assert all(word in str(error.value) for word in (str(tmp_path / "MNIST/raw"), *IDX_FILES, "data.root="))


@pytest.mark.parametrize("how", FAILURES)
def test_a_failed_download_of_the_fixed_binarization_leaves_nothing(tmp_path, monkeypatch, how):
    write_amat(tmp_path / "served")
    files = contents(tmp_path / "served")
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in AMAT_FILES}
    monkeypatch.setattr(mnist_module, "AMAT_FILES", sums)
    mirror = Mirror(monkeypatch, files)
    mirror.fail(how, at=2)
    root = tmp_path / "root"
    with pytest.raises(KeyboardInterrupt if how == "Ctrl-C" else UserError) as error:
        mnist(str(root), "MNIST", "fixed", 100)
    assert contents(root) == {}
    assert how == "Ctrl-C" or all(word in str(error.value) for word in (*AMAT_FILES, "data.root="))
    mirror.fail("", at=0)
    assert len(mnist(str(root), "MNIST", "fixed", 100).train.images) == 30
    assert contents(root / "binarized_mnist") == files


def test_published_amat_files_are_known_by_their_sha_256(tmp_path, monkeypatch):
    """Files of the right format that are not the published ones are no download."""
    write_amat(tmp_path / "served")
    Mirror(monkeypatch, contents(tmp_path / "served"))
    with pytest.raises(UserError, match="SHA-256"):
        mnist(str(tmp_path / "root"), "MNIST", "fixed", 100)


# --- the user's arrays --------------------------------------------------------------------------------------

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
    """Pixels are what the file holds (uint8 above 1: over 255), in C order, with the image's shape known."""
    images = convert(grey(10, *shape))
    data = arrays(npz(tmp_path, **three(images)), **KEYS)
    assert data.shape == expected and data.entropy is None and not data.redraw
    x = [data.pixels(s.images, torch.float64) for s in (data.train, data.validation, data.test)]
    wanted = torch.from_numpy(images.reshape(10, -1).astype(np.float64)) * scale
    torch.testing.assert_close(torch.cat(x), wanted, rtol=1e-7, atol=0)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_one_array_is_shuffled_and_split_by_fractions(tmp_path, suffix):
    """Every image falls into one split; the seed says which; fractions below 1 leave the rest out."""
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


def test_arrays_may_have_names_of_the_users_own(tmp_path):
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
def test_arrays_that_are_no_images_are_refused(tmp_path, kind):
    """The message names key, file, array, what it has and what is allowed."""
    changed, words = BAD_ARRAYS[kind]
    path = npz(tmp_path, **(three(GOOD) | changed))
    with pytest.raises(UserError, match=words) as error:
        arrays(path, **KEYS)
    assert "data.path" in str(error.value) and "\n" not in str(error.value)


def test_objects_are_never_unpickled(tmp_path):
    """Neither from an object array nor from a pickle that calls itself .npy: the code in it does not run."""

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
        if pair != ("npy", "a bad byte")  # a pixel that changed: an .npy has no checksum
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


def arrays_config(path: str, **changed: object) -> dict:
    """What configs/data/arrays.yaml composes to."""
    common = {"root": "unused", "limit": None, "placement": "auto", "exclude_classes": [], "name": "arrays"}
    return common | {"_target_": f"{arrays_module.__name__}.arrays", "path": path} | KEYS | changed


def test_limit_takes_the_first_images_of_each_split(tmp_path):
    images = three(grey(10, 4, 4))
    path = npz(tmp_path, **images, train_labels=np.arange(6))
    data = load_data(arrays_config(path, limit=3))
    assert [len(s.images) for s in data[:3]] == [3, 2, 2]
    assert data.train.labels.tolist() == [0, 1, 2]
    assert torch.equal(data.train.images, torch.from_numpy(images["train"][:3]).flatten(1))


def test_validation_may_be_empty(tmp_path):
    images = three(GOOD) | {"validation": GOOD[:0]}
    data = load_data(arrays_config(npz(tmp_path, **images)))
    assert [len(split.images) for split in data[:3]] == [6, 0, 2]


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("all_empty", [False, True])
def test_a_split_without_images_is_refused(tmp_path, split, all_empty):
    images = three(grey(10, 4, 4))
    images = {name: array[:0] if all_empty or name == split else array for name, array in images.items()}
    with pytest.raises(UserError, match=f"data=arrays has no {'train' if all_empty else split} images"):
        load_data(arrays_config(npz(tmp_path, **images)))


# --- batches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "batch_size"), [(10, 3), (9, 3), (2, 5), (1, 1)])
@pytest.mark.parametrize("placement", ["auto", "device", "host"])
def test_an_epoch_uses_every_image_once(n, batch_size, placement):
    """In the order given, in whole batches but for the last, wherever the data lies."""
    images = torch.arange(2 * n).reshape(n, 2)
    split = Split(images)
    data = Dataset(split, split, split, (1, 1, 2)).to(CPU, placement)
    order = epoch_order(n, 0, 0, CPU)
    found = list(batches(data.train.images, order, batch_size, CPU))
    assert [len(b) for b in found] == [len(b) for b in order.split(batch_size)]
    assert torch.equal(torch.cat(found), images[order])
    assert sorted(torch.cat(found)[:, 0].tolist()) == images[:, 0].tolist()


def test_epoch_order_is_a_function_of_seed_and_epoch_only():
    """A permutation, another for each seed and epoch; it neither reads nor moves torch's global generator."""
    torch.manual_seed(1)
    orders = {(s, e): epoch_order(50, s, e, CPU) for s in (0, 1, 2**32 - 1) for e in (0, 1, 19)}
    state = torch.get_rng_state()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    for (s, e), order in orders.items():
        assert torch.equal(order, epoch_order(50, s, e, CPU))
        assert order.sort().values.tolist() == list(range(50))
    assert torch.equal(before, torch.get_rng_state()) and not torch.equal(before, state)
    assert len({tuple(order.tolist()) for order in orders.values()}) == len(orders)


def test_the_first_place_of_an_epoch_is_uniform():
    """Chi-square over which of 16 images comes first in 3,200 epochs."""
    first = [int(epoch_order(16, 0, epoch, CPU)[0]) for epoch in range(3_200)]
    assert abs(chi_square_z(np.bincount(first, minlength=16), np.full(16, 200.0))) < Z


# --- what a likelihood may be given -------------------------------------------------------------------------


def floats(*values: float, scale: float = 1.0, redraw: bool = False, test: float = 0.5) -> Dataset:
    train, empty = torch.tensor([values]), torch.empty(0, len(values))
    return Dataset(
        Split(train), Split(empty), Split(torch.full_like(train, test)), (1, 1, len(values)), scale, redraw
    )


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (floats(0.0, 1.0), None),
        (floats(0.0, 255.0, scale=1 / 255), None),
        (floats(-0.01, 1.0), "[-0.01, 1]"),
        (floats(0.0, 1.5), "[0, 1.5]"),
        (floats(0.0, 1.0, test=2.0), "[0, 2]"),
        (floats(0.0, 255.0), "[0, 255]"),
    ],
)
def test_pixels_outside_the_support_are_refused(data, shown):
    """In any split; the real line takes everything."""
    check_support(data, None, "gaussian")
    if shown is None:
        check_support(data, (0.0, 1.0), "bernoulli")
        return
    with pytest.raises(UserError) as error:
        check_support(data, (0.0, 1.0), "bernoulli")
    for word in ("likelihood=bernoulli", "[0, 1]", shown, "likelihood=gaussian"):
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("data", "binary"),
    [
        (floats(0.0, 1.0), True),
        (floats(0.0, 0.5), False),
        (floats(0.0, 255.0, scale=1 / 255), True),
        (floats(0.0, 1.0, scale=1 / 255), False),
        (floats(0.0, 100.0, scale=1 / 255, redraw=True), True),
    ],
)
def test_is_binary(data, binary):
    assert is_binary(data) == binary


# --- corruption ---------------------------------------------------------------------------------------------

CORRUPTIONS = [Clean(), GaussianNoise(0.3), Masking(0.25), SaltAndPepper(0.4)]


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda c: type(c).__name__)
def test_corruption_leaves_the_target_and_follows_its_generator(corruption):
    x = torch.rand(64, 100, generator=Generator().manual_seed(0))
    clean = x.clone()
    one, same, other = (corruption(x, Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(x, clean) and torch.equal(one, same) and one.dtype == x.dtype
    assert torch.equal(one, other) == isinstance(corruption, Clean)


def proportion_z(hits: torch.Tensor, p: float) -> float:
    """How many standard errors the fraction of true entries lies from p."""
    return abs(hits.double().mean().item() - p) / math.sqrt(p * (1 - p) / hits.numel())


@pytest.mark.parametrize("std", [0.05, 0.3, 2.0])
def test_gaussian_noise_has_its_mean_and_variance(std):
    x = torch.full((200, 500), 0.5, dtype=torch.float64)
    noise = (GaussianNoise(std)(x, Generator().manual_seed(0)) - x).flatten()
    n = len(noise)
    assert abs(noise.mean()) < Z * std / math.sqrt(n)
    assert abs(noise.var() / std**2 - 1) < Z * math.sqrt(2 / n)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_masking_blanks_its_fraction_and_nothing_else(fraction):
    x = torch.full((200, 500), 0.7)
    y = Masking(fraction)(x, Generator().manual_seed(0))
    assert ((y == 0) | (y == x)).all()
    assert proportion_z(y == 0, fraction) < Z


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_salt_and_pepper_replaces_its_fraction_by_half_of_each(fraction):
    x = torch.full((200, 500), 0.7)
    y = SaltAndPepper(fraction)(x, Generator().manual_seed(0))
    assert ((y == 0) | (y == 1) | (y == x)).all()
    assert proportion_z(y != x, fraction) < Z
    assert proportion_z(y[y != x] == 1, 0.5) < Z


@pytest.mark.parametrize("kind", [Masking, SaltAndPepper])
def test_the_ends_of_the_fraction(kind):
    x, generator = torch.full((50, 50), 0.7), Generator().manual_seed(0)
    assert torch.equal(kind(0.0)(x, generator), x)
    assert not (kind(1.0)(x, generator) == x).any()
