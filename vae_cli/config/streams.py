"""Standard streams that never end a command: a closed one, a pipe whose reader has gone, a full disk behind a file, and an
encoding without the characters that we print. Imports nothing heavy."""

import codecs
import errno
import io
import os
import sys
from contextlib import suppress

# what an ASCII console shows instead
PLAIN = {
    "×": "x", "–": "-", "—": "-", "−": "-", "…": "...", "±": "+/-", "½": "1/2", "²": "^2", "³": "^3", "·": "*",
    "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≈": "~", "’": "'", "‘": "'", "“": '"', "”": '"',
}  # fmt: skip
LOST: list[OSError] = []  # why something that was printed is lost, but for a reader that has gone
GONE = (errno.EPIPE, errno.EIO)  # the reader of a pipe, or the terminal


def prepare() -> None:
    """Replace the standard streams by such ones. Call it before anything is printed."""
    codecs.register_error("vae-cli", _plain)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed: the next file that is opened would become the stream
            _to_nowhere(number)
            setattr(sys, name, os.fdopen(number, "rw"[number > 0], encoding="utf-8", closefd=False))
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper:  # not what a test or a notebook has put in its place
            stream.flush()
            setattr(sys, name, _lasting(stream))


class _Lasting(io.FileIO):
    """A file that takes what is written to it even where the operating system does not. After the first failure, all goes to
    /dev/null, that of child processes included."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]  # the stubs have a private type
        except OSError as error:
            _to_nowhere(self.fileno())
            if error.errno not in GONE:
                LOST.append(error)
                _say(f"{sys.argv[0].rpartition('/')[2]}: output is lost: {error.strerror}\n")
            return memoryview(data).nbytes  # type: ignore[arg-type]


def _lasting(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    file = _Lasting(stream.fileno(), "wb", closefd=False)
    unbuffered = isinstance(stream.buffer, io.FileIO)  # PYTHONUNBUFFERED
    return io.TextIOWrapper(
        file if unbuffered else io.BufferedWriter(file),
        stream.encoding,
        "vae-cli",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _plain(error: UnicodeError) -> tuple[str, int]:
    """An error handler of encodings, as codecs.register_error takes it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in text), error.end


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
    os.set_inheritable(number, True)


def _say(line: str) -> None:
    """On stderr as it was given, unless that fails as well."""
    with suppress(OSError):
        os.write(2, line.encode())
