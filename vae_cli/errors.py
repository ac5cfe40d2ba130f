"""The errors of this package, each shown to the user as one line, and text that cannot control a terminal."""

import difflib
from collections.abc import Iterable
from typing import ClassVar

LONGEST = 300  # letters of an error message
COMPLAINTS: list[str] = []  # the lines on stderr so far


class UserError(Exception):
    """Bad input. Its message names the key or file, the value, what is allowed and the nearest name."""


class RunRefused(UserError):
    """The run cannot train into its folder, and leaves the folder unchanged."""


class RunLocked(RunRefused):
    """Another process holds the lock of the folder."""


class RunFailed(Exception):
    """What ends a run that had been accepted. Its message says why, and what to try."""


class Diverged(RunFailed):
    """A loss, gradient or parameter became NaN or infinite."""


class OutOfMemory(RunFailed):
    """The host or the device had less memory than the run needed."""


class Interrupted(KeyboardInterrupt):
    """A signal ended the run. It has written a checkpoint if it had trained.

    It is a KeyboardInterrupt, so that it ends a whole sweep. An Exception would end only one member.
    """

    # whether a handler has raised one since handlers were set: compiled code may lose it, and raise an error of its own
    raised: ClassVar[bool] = False

    @classmethod
    def by_signal(cls, message: str = "") -> "Interrupted":
        """What a handler raises."""
        Interrupted.raised = True
        return cls(message)


def is_interruption(error: BaseException) -> bool:
    """Whether a signal has caused the error: libraries that it interrupts may fail in their clean-up, or with an error that
    does not know of it."""
    if Interrupted.raised and not isinstance(error, UserError | RunFailed | OSError):
        return True
    links: list[BaseException | None] = [error]
    seen: set[int] = set()
    while links:
        if (link := links.pop()) is None or id(link) in seen:
            continue
        if isinstance(link, KeyboardInterrupt) or _names_an_interruption(link):
            return True
        seen.add(id(link))
        links += [link.__cause__, link.__context__]
    return False


def _names_an_interruption(error: BaseException) -> bool:
    """pydantic's compiled part raises its own error, without a context, where it builds a schema. No input causes it."""
    return type(error).__name__ == "SchemaError" and "Interrupt" in str(error)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The text "; did you mean X?" for a likely typo, else an empty text. X is never `name` itself."""
    candidates = [candidate for candidate in names if candidate != name]
    match = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    if not match:  # `code_size` for `latent.code_size`: the last part alone is right
        tail = name.rpartition(".")[2]
        match = [c for c in candidates if c.rpartition(".")[2] == tail][:1]
    return f"; did you mean {match[0]!r}?" if match else ""


def printable(text: str, longest: int | None = None) -> str:
    """`text` with escape sequences, control characters and unpaired surrogates as `\\x1b`, `\\n` or `\\udcff`. With
    `longest`, cut in the middle."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if longest is None or len(shown) <= longest:
        return shown
    half = (longest - 1) // 2
    return f"{shown[:half]}…{shown[half + 1 - longest :]}"
