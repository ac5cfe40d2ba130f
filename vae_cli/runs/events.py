"""TensorBoard's writer, made to fail like any other file: one error for each failed call, and nothing printed."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from vae_cli.runs.files import sync
from vae_cli.runs.folder import RunFolder


class Events:
    """A new event file in a folder. A resumed run continues after `step`: TensorBoard hides what came later. `suffix` is the
    end of the file's name."""

    def __init__(self, folder: Path, step: int | None = None, suffix: str = "") -> None:
        from torch.utils.tensorboard import SummaryWriter

        threading.excepthook = _without_the_writers_thread
        earlier = RunFolder(folder).event_files()
        purged = None if step is None else step + 1 if step else 0
        writer: Any = SummaryWriter(str(folder), purge_step=purged, filename_suffix=suffix)
        self._files = RunFolder(folder).event_files() - earlier
        writer.file_writer.event_writer = _Writer(writer.file_writer.event_writer, self._files)
        self.writer = writer

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        self.writer.flush()
        for file in self._files:
            sync(file)

    def close(self) -> None:
        self.writer.close()

    def __enter__(self) -> Any:
        """The writer of torch."""
        return self.writer

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """After an error, an error of the disk must not hide it."""
        with suppress(*([OSError] if kind else [])):
            self.close()


class _Writer:
    """TensorBoard writes in a thread, and raises the error of that thread again at each later call: the same object, which
    nested `finally` clauses would chain to itself. An ExitStack that follows such a chain never ends."""

    def __init__(self, writer: Any, files: set[Path]) -> None:
        self.writer, self.file = writer, ", ".join(map(str, files))

    def add_event(self, event: Any) -> None:
        self._call(self.writer.add_event, event)

    def flush(self) -> None:
        self._call(self.writer.flush)

    def close(self) -> None:
        self._call(self.writer.close)

    def get_logdir(self) -> Any:
        return self.writer.get_logdir()

    def _call(self, method: Callable[..., object], *arguments: object) -> None:
        failure = None
        try:
            method(*arguments)
        except OSError as error:
            failure = OSError(error.errno, error.strerror or str(error), self.file)
        if failure:  # raised here, so that TensorBoard's object is not its context
            raise failure


def _without_the_writers_thread(arguments: threading.ExceptHookArgs) -> None:
    """Print no traceback of TensorBoard's thread: the next call raises its error."""
    if type(arguments.thread).__name__ != "_AsyncWriterThread":
        threading.__excepthook__(arguments)
