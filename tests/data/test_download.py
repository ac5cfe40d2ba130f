"""Downloads leave whole files or none, and a failure is reported in one line."""

import gzip
import hashlib
import shutil
from collections.abc import Iterator
from threading import Thread

import pytest
import torch
from conftest import SUBSET
from data.mirror import FAILURES, Mirror, break_download
from data.published_files import AMAT_FILES, RAW, contents, raw_images, write_amat

from vae_cli.data import binarization as binarization_module
from vae_cli.data import mnist as mnist_module
from vae_cli.data.download import PublishedFiles
from vae_cli.data.mnist import IDX_FILES, mnist
from vae_cli.errors import UserError

PUBLISHED = [*mnist_module.SOURCES.values(), binarization_module.FIXED]
NOBODY = "http://127.0.0.1:9/"  # no server listens on the port "discard"


@pytest.fixture
def mirror(monkeypatch) -> Iterator[Mirror]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)  # before the second attempt
    with Mirror() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def idx_mirror(mirror, monkeypatch) -> Mirror:
    """Serves the files of the subset packed, as MNIST and as Fashion-MNIST."""
    mirror.files = {f"{name}.gz": gzip.compress((RAW / name).read_bytes(), 1) for name in IDX_FILES}
    checksums = {name: f"md5:{hashlib.md5(mirror.files[f'{name}.gz']).hexdigest()}" for name in IDX_FILES}
    source = PublishedFiles((mirror.url,), checksums, packed=True)
    monkeypatch.setattr(mnist_module, "SOURCES", {"MNIST": source, "FashionMNIST": source})
    return mirror


@pytest.fixture
def amat_mirror(mirror, monkeypatch, tmp_path) -> Mirror:
    """Serves three files in the format of the fixed binarization."""
    write_amat(tmp_path / "served")
    mirror.files = contents(tmp_path / "served")
    checksums = {name: f"sha256:{hashlib.sha256(mirror.files[name]).hexdigest()}" for name in AMAT_FILES}
    monkeypatch.setattr(binarization_module, "FIXED", PublishedFiles((mirror.url,), checksums))
    return mirror


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("dataset", ["MNIST", "FashionMNIST"])
def test_a_failed_download_leaves_nothing_and_the_next_one_succeeds(
    tmp_path, idx_mirror, monkeypatch, dataset, how
):
    """Earlier files and folders do not change. The error names the folder, the missing files and the key."""
    raw = tmp_path / dataset / "raw"
    raw.mkdir(parents=True)
    shutil.copy(RAW / IDX_FILES[0], raw)
    before = contents(tmp_path)
    with monkeypatch.context() as broken:
        break_download(idx_mirror, broken, how, at=3)
        with pytest.raises(KeyboardInterrupt if how == "Ctrl-C" else UserError) as error:
            mnist(str(tmp_path), dataset, "none", 100)
    assert contents(tmp_path) == before
    assert not [p for p in tmp_path.rglob("*") if "partial" in p.name]
    if how != "Ctrl-C":
        message = str(error.value)
        assert all(word in message for word in (str(raw), *IDX_FILES[1:], "data.root="))
        assert f"lacks {IDX_FILES[1]}" in message and "\n" not in message
    idx_mirror.fail("", at=0)
    data = mnist(str(tmp_path), dataset, "none", 100)
    assert torch.equal(data.test.images, raw_images("t10k-images-idx3-ubyte"))
    assert contents(raw) == contents(RAW)


@pytest.mark.parametrize("how", FAILURES)
def test_a_failed_download_of_the_fixed_binarization_leaves_nothing(tmp_path, amat_mirror, monkeypatch, how):
    root = tmp_path / "new/root"
    with monkeypatch.context() as broken:
        break_download(amat_mirror, broken, how, at=2)
        with pytest.raises(KeyboardInterrupt if how == "Ctrl-C" else UserError) as error:
            mnist(str(root), "MNIST", "fixed", 100)
    assert not (tmp_path / "new").exists()
    assert how == "Ctrl-C" or all(word in str(error.value) for word in (*AMAT_FILES, "data.root="))
    amat_mirror.fail("", at=0)
    assert len(mnist(str(root), "MNIST", "fixed", 100).train.images) == 30
    assert contents(root / "binarized_mnist") == amat_mirror.files


REASONS = {
    "no answer": "Remote end closed connection without response",
    "not found": "404 Client Error: Not Found",
    "connection closed": "IncompleteRead",
    "half a file": "does not match the known hash",
    "disk full": "No space left on device",
}


@pytest.mark.parametrize("how", REASONS)
def test_the_message_gives_the_reason(tmp_path, idx_mirror, monkeypatch, how):
    break_download(idx_mirror, monkeypatch, how, at=1)
    with pytest.raises(UserError) as error:
        mnist(str(tmp_path), "MNIST", "none", 100)
    assert f"{idx_mirror.url}{IDX_FILES[0]}.gz: " in str(error.value) and REASONS[how] in str(error.value)


def test_without_a_network_all_files_and_mirrors_are_named(tmp_path, idx_mirror, monkeypatch):
    for name, source in mnist_module.SOURCES.items():
        mirrors = (NOBODY, f"{NOBODY}second/")
        monkeypatch.setitem(mnist_module.SOURCES, name, source._replace(mirrors=mirrors))
    with pytest.raises(UserError) as error:
        mnist(str(tmp_path), "MNIST", "none", 100)
    words = (str(tmp_path / "MNIST/raw"), *IDX_FILES, "data.root=", NOBODY, f"{NOBODY}second/", "refused")
    for word in words:
        assert word in str(error.value)
    assert "HTTPConnectionPool" not in str(error.value)


def test_a_download_that_breaks_off_is_tried_again(tmp_path, idx_mirror, monkeypatch):
    """The first answer breaks off, and each later one is complete."""
    answers = iter(["connection closed"])
    monkeypatch.setattr(idx_mirror, "fails", lambda: setattr(idx_mirror, "how", next(answers, "")) or True)
    mnist(str(tmp_path), "MNIST", "none", 100)
    assert contents(tmp_path / "MNIST/raw") == contents(RAW)


def test_the_next_mirror_is_tried(tmp_path, idx_mirror, monkeypatch):
    source = mnist_module.SOURCES["MNIST"]
    monkeypatch.setitem(mnist_module.SOURCES, "MNIST", source._replace(mirrors=(NOBODY, *source.mirrors)))
    ours, theirs = (mnist(str(root), "MNIST", "none", 100) for root in (tmp_path, SUBSET))
    assert torch.equal(ours.train.images, theirs.train.images)


@pytest.mark.parametrize("published", PUBLISHED, ids=["MNIST", "Fashion-MNIST", "fixed binarization"])
def test_files_that_are_not_the_published_ones_are_refused(tmp_path, mirror, published):
    """Although the server sends complete files."""
    mirror.files = {
        f"{name}{end}": gzip.compress(b"any") for name in published.checksums for end in ("", ".gz")
    }
    for name, checksum in published.checksums.items():
        source = published._replace(mirrors=(mirror.url,), checksums={name: checksum})
        with pytest.raises(UserError, match="does not match the known hash"):
            source.find(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
