"""Small files are written completely or not at all."""

import errno
import os

import pytest

from vae_cli.runs.files import write_atomically


def fsync_on_a_full_disk(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_keeps_its_content_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"good")
    (tmp_path / ".file.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as error:
        write_atomically(path, b"better" * 10_000)
    assert error.value.filename == str(path)
    monkeypatch.setattr(os, "fsync", fsync_on_a_full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"better")
    assert path.read_bytes() == b"good" and [p.name for p in tmp_path.iterdir()] == ["file"]
