"""The words of the command line before Hydra reads them."""

import os
from collections.abc import Sequence

from vae_cli.config.modes import refuse_unused
from vae_cli.config.quoting import quoted
from vae_cli.errors import UserError

KEYS = ("folders=", "out=", "x=", "y=", "value=", "best=")  # of vae-compare
FOLDER_KEYS = {"vae-train": "resume", "vae-eval": "run", "vae-compare": "folders"}
EXAMPLES = {
    "vae-train": "optimizer.lr=0.001",
    "vae-eval": "nll_samples=1000",
    "vae-compare": "value=test.nll",
}


def asks_for_help(arguments: Sequence[str]) -> bool:
    return not {"--help", "-h"}.isdisjoint(arguments)


def for_hydra(program: str, arguments: Sequence[str]) -> list[str]:
    """The flags, then the overrides, quoted where Hydra needs it: Hydra's parser refuses overrides on both sides of a flag.

    Raises UserError for what Hydra would answer with its usage, or accept and ignore."""
    # here: --help needs neither them nor Hydra, which they import
    from vae_cli.config import flags, overrides
    from vae_cli.config.failures import known_names

    words = flags.separated(arguments, known_names(program), EXAMPLES[program])
    if program != "vae-train":  # there, a preset may make it a sweep
        refuse_unused(words.overrides, words.is_sweep)
    if program == "vae-compare":
        words = words._replace(overrides=positional(words.overrides))
    return words.flags + overrides.checked(words, FOLDER_KEYS[program])


def positional(words: Sequence[str]) -> list[str]:
    """`outputs/a outputs/b value=test.nll` → `folders=["outputs/a","outputs/b"] value=test.nll`."""
    folders = [quoted(word) for word in words if _is_folder(word)]
    others = [word for word in words if not _is_folder(word)]
    return [*others, f"folders=[{','.join(folders)}]"] if folders else others


def _is_folder(word: str) -> bool:
    """`~KEY` deletes a key; `~NAME` is somebody's home, or a folder of this name."""
    is_key = word.startswith(KEYS) or word.removeprefix("~") in [key.rstrip("=") for key in KEYS]
    exists = os.path.isdir(os.path.expanduser(word))  # noqa: PTH111, PTH112, which never raise
    return not is_key and ("=" not in word or exists) and not word.startswith("~hydra")


def resumed(arguments: Sequence[str]) -> dict[str, str] | None:
    """What is given with resume=FOLDER, key → value; None where nothing is resumed. A word without a value is a key. Raises
    UserError for a key that is given twice, and for resume with a +, with which Hydra would begin a new run."""
    if not any(word.lstrip("+").startswith("resume=") for word in arguments):
        return None
    given: dict[str, str] = {}
    for word in arguments:
        if word.startswith("-"):
            raise UserError(f"resume=FOLDER continues one run as it was begun: leave {word} out")
        key, _, value = word.partition("=")
        if key in ("+resume", "++resume"):
            raise UserError(f"write resume={value}, without +")
        if given.setdefault(key, _without_quotes(value)) != _without_quotes(value):
            raise UserError(f"{key} is given twice: {key}={given[key]} and {word}")
    return None if given["resume"] in ("", "null") else given


def _without_quotes(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
