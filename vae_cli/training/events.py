"""TensorBoard's writer, made to fail like any other file: one error for each failed call, and nothing printed."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vae_cli.runs.files import sync
from vae_cli.runs.folder import RunFolder


class Events:
    """The event file of one run. A resumed run continues after `step`: TensorBoard hides what came later."""

    def __init__(self, folder: RunFolder, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        threading.excepthook = _without_the_writers_thread
        earlier = folder.event_files()
        writer: Any = SummaryWriter(str(folder), purge_step=step + 1 if step else 0)
        self._files = folder.event_files() - earlier
        writer.file_writer.event_writer = _Writer(writer.file_writer.event_writer, self._files)
        self.writer = writer

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        self.writer.flush()
        for file in self._files:
            sync(file)

    def close(self) -> None:
        self.writer.close()


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
