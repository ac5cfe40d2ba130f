"""Files are written completely or not at all, and nothing but regular files of the folder is opened."""

import errno
import os
import socket
from pathlib import Path

import pytest

from vae_cli.runs.files import open_to_read, open_to_write, read_bytes, unusual_entries, write_atomically


def fsync_on_a_full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_keeps_its_content_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"good")
    monkeypatch.setattr(os, "fsync", fsync_on_a_full_disk)
    with pytest.raises(OSError, match="No space left") as error:
        write_atomically(path, b"better")
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"good" and [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("link", ["file", ".file.partial"])
def test_a_link_is_replaced_and_its_target_stays(tmp_path, link):
    (tmp_path / "other").write_text("not ours")
    (tmp_path / link).symlink_to(tmp_path / "other")
    write_atomically(tmp_path / "file", b"ours")
    assert (tmp_path / "file").read_bytes() == b"ours" and not (tmp_path / "file").is_symlink()
    assert (tmp_path / "other").read_text() == "not ours"


def outside(path: Path) -> Path:
    return path.parents[1].resolve()


def link_to_a_file_outside(path: Path) -> None:
    (outside(path) / "secret").write_text("secret")
    path.symlink_to(outside(path) / "secret")


def link_through_a_folder_outside(path: Path) -> None:
    (outside(path) / "elsewhere").mkdir()
    path.symlink_to(outside(path) / "elsewhere")


def dangling_link(path: Path) -> None:
    path.symlink_to(outside(path) / "nothing")


def circle(path: Path) -> None:
    path.symlink_to(path)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def socket_file(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def folder(path: Path) -> None:
    path.mkdir()


UNUSUAL = [
    link_to_a_file_outside, link_through_a_folder_outside, dangling_link, circle, fifo, socket_file,
]  # fmt: skip


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """In a short folder, because the name of a socket has at most 107 letters."""
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    return Path("../run/file")


@pytest.mark.parametrize("make", [*UNUSUAL, folder])
def test_what_is_no_regular_file_of_the_folder_is_neither_read_nor_written(path, make):
    """And nothing waits for it."""
    make(path)
    for attempt in (open_to_read, read_bytes, open_to_write):
        with pytest.raises(OSError) as error:
            attempt(path)
        assert error.value.filename == str(path)
    assert not (path.parents[1] / "nothing").exists()


@pytest.mark.parametrize("make", UNUSUAL)
@pytest.mark.parametrize("below", ["", "inner"])
def test_it_is_found_before_a_run_writes(path, make, below):
    if make is circle:
        pytest.skip("a link in a circle leads nowhere, and opening it fails")
    make(path)
    (path.parent / below).mkdir(exist_ok=True)
    path.rename(path.parent / below / "file")
    name = below or "file"
    names = ([], [name, "absent"]) if below else ([name, "absent"], [])
    (found, *_) = unusual_entries(path.parent, *names)
    assert str(path.parent / below / "file") in found
    assert list(unusual_entries(path.parent, ["absent"], ["absent"])) == []


def test_a_folder_in_place_of_a_file_and_a_file_in_place_of_a_folder_are_found(path):
    path.mkdir()
    (path.parent / "other").touch()
    assert [text.rpartition("/")[2] for text in unusual_entries(path.parent, ["file"], ["other"])] == [
        "file is a folder, not a file", "other is no folder",
    ]  # fmt: skip


def test_a_link_within_the_folder_is_followed(path):
    (path.parent / "real").write_text("content")
    path.symlink_to("real")
    assert read_bytes(path) == b"content"
    assert list(unusual_entries(path.parent, ["file"], [])) == []


def test_a_file_that_is_too_large_is_not_read(path):
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: it takes no space
    with pytest.raises(OSError, match="1,099,511,627,776 bytes are more than"):
        read_bytes(path)
