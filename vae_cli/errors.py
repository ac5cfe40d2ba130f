"""What a user did wrong, or a run met, said in one line."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. Its message names the key or file, the value, what is allowed and the nearest name."""


class RunRefused(UserError):
    """The folder stays as it is: it holds what is not to be changed."""


class RunLocked(RunRefused):
    """Another process writes the folder."""


class Diverged(Exception):
    """A loss, gradient or parameter became NaN or infinite."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; a checkpoint has been written where there was anything to keep.

    As a KeyboardInterrupt it ends a whole sweep, where an Exception would end one member."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean X?` for a likely typo, else nothing."""
    candidates = list(names)
    match = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    if not match:  # `code_size` for `latent.code_size`: the last part alone is right
        tail = name.rpartition(".")[2]
        match = [c for c in candidates if c.rpartition(".")[2] == tail][:1]
    return f"; did you mean {match[0]!r}?" if match else ""
