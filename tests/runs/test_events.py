"""TensorBoard's event file fails like any other file."""

import errno
import os
import threading
from contextlib import ExitStack

import pytest
from tensorboard.summary.writer.record_writer import RecordWriter

from vae_cli.runs.events import Events
from vae_cli.runs.folder import RunFolder


@pytest.fixture
def full_disk(tmp_path, monkeypatch):
    events = Events(tmp_path, 0)

    def write(writer: RecordWriter, record: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(RecordWriter, "write", write)
    return events


def write_all(events: Events) -> None:
    for step in range(1000):
        events.writer.add_scalar("train/loss", 0.0, step)
    events.sync()


def test_a_full_disk_is_one_error_that_names_the_file(full_disk, tmp_path, capfd):
    """And no traceback of the thread that writes."""
    with pytest.raises(OSError, match="No space left") as error:
        write_all(full_disk)
    assert error.value.filename in map(str, RunFolder(tmp_path).event_files())
    assert capfd.readouterr().err == ""


def test_nested_contexts_that_all_fail_end(full_disk):
    """TensorBoard raises the same object each time; an ExitStack would follow its circle of contexts for ever."""

    def leave() -> None:
        with pytest.raises(OSError), ExitStack() as outer:
            for _ in range(3):
                outer.callback(full_disk.sync)
            with ExitStack() as inner:
                inner.callback(full_disk.sync)
                write_all(full_disk)
        ended.append(True)

    ended: list[bool] = []
    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    thread.join(20)
    assert ended


def test_errors_of_other_threads_are_still_shown(full_disk, capfd):
    thread = threading.Thread(target=lambda: 1 / 0)
    threading.excepthook(threading.ExceptHookArgs((ZeroDivisionError, ZeroDivisionError("x"), None, thread)))
    assert "ZeroDivisionError" in capfd.readouterr().err
