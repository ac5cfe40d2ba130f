"""Hydra's flags on the command line, told apart from the overrides and checked: Hydra answers a wrong one with its usage."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vae_cli.errors import UserError, did_you_mean

SHORT = {
    "-r": "--run", "-m": "--multirun", "-c": "--cfg", "-p": "--package", "-i": "--info", "-sc": "--shell-completion",
    "-cp": "--config-path", "-cn": "--config-name", "-cd": "--config-dir",
}  # fmt: skip
ALONE = ("--run", "--multirun", "--hydra-help", "--resolve", "--shell-completion")
WITH_A_VALUE = {  # flag → what it takes, empty for any text
    "--cfg": ("job", "hydra", "all"),
    "--info": (
        "all",
        "config",
        "defaults",
        "defaults-tree",
        "plugins",
        "searchpath",
    ),  # all, where none is given
    "--package": (),
    "--config-path": (),
    "--config-name": (),
    "--config-dir": (),
}
MODES = ("--run", "--multirun", "--cfg", "--info", "--shell-completion", "--hydra-help")
OF_CFG = ("--resolve", "--package")


class Words(NamedTuple):
    flags: list[str]  # as Hydra's parser takes them in front of the overrides
    overrides: list[str]

    @property
    def is_sweep(self) -> bool:
        return "--multirun" in self.flags or "hydra.mode=MULTIRUN" in self.overrides


def separated(arguments: Sequence[str], names: Sequence[str], example: str) -> Words:
    """The flags and the overrides of a command line. `names` are the keys of the command. Raises UserError for a flag that
    there is not, and for flags that contradict each other."""
    found: dict[str, str | None] = {}
    overrides = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            overrides.append(word)
            continue
        flag, value = _read(word, rest, names, example)
        if found.setdefault(flag, value) != value:
            raise UserError(f"{flag} is given twice, as {found[flag]} and as {value}")
    _refuse_contradictions(found)
    if "--hydra-help" in found and overrides:
        raise UserError(f"--hydra-help shows Hydra's own help: leave {overrides[0]} out")
    if "--shell-completion" in found and not _asks_of_completion(overrides):
        raise UserError("--shell-completion takes one of install=SHELL, uninstall=SHELL, query=SHELL")
    return Words([flag if value is None else f"{flag}={value}" for flag, value in found.items()], overrides)


def _asks_of_completion(overrides: Sequence[str]) -> bool:
    return len({word.partition("=")[0] for word in overrides} & {"install", "uninstall", "query"}) == 1


def _read(word: str, rest: list[str], names: Sequence[str], example: str) -> tuple[str, str | None]:
    """A flag by its long name, and its value, which may be the first word of `rest`."""
    name, given, value = word.partition("=")
    flag = SHORT.get(name, name)
    if flag in ALONE:
        if given:
            raise UserError(f"{word}: {flag} takes no value")
        return flag, None
    if flag not in WITH_A_VALUE:
        flags = [*ALONE, *WITH_A_VALUE, "--help", "--version"]
        key = did_you_mean(name, flags) if len(name) > 2 else ""
        key = key or did_you_mean(word.lstrip("-"), names) or f"; for example {example}"
        raise UserError(f"there is no flag {word}: keys are written key=value{key}")
    if not given and rest and _is_value(flag, rest[0]):
        given, value = "=", rest.pop(0)
    allowed = WITH_A_VALUE[flag]
    if flag == "--info" and not given:
        value = "all"
    elif not value:
        raise UserError(f"{flag} needs a value: {', '.join(allowed) or f'{flag}=VALUE'}")
    if allowed and value not in allowed:
        raise UserError(f"{flag}={value} is not allowed; allowed is {', '.join(allowed)}")
    return flag, _absolute(value) if flag in ("--config-dir", "--config-path") else value


def _absolute(path: str) -> str:
    """Hydra takes a relative --config-path for one beside our code."""
    expanded = os.path.expanduser(path)  # noqa: PTH111, which raises for a user that there is not
    return path if path.startswith("pkg://") else str(Path(expanded).absolute())


def _is_value(flag: str, word: str) -> bool:
    """Whether the word behind a flag is its value. --info may stand alone, before an override."""
    return not word.startswith("-") and (flag != "--info" or "=" not in word)


def _refuse_contradictions(found: dict[str, str | None]) -> None:
    if {"--cfg", "--multirun"} <= found.keys():
        raise UserError("--cfg shows the configuration of one run: leave -m out")
    if len(modes := [flag for flag in MODES if flag in found]) > 1:
        raise UserError(f"{modes[0]} and {modes[1]} exclude each other")
    for flag in OF_CFG:
        if flag in found and "--cfg" not in found:
            raise UserError(f"{flag} goes with --cfg only")
