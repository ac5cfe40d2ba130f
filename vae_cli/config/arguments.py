"""The words of the command line before Hydra reads them."""

import json
import re
from pathlib import Path

from vae_cli.errors import did_you_mean

PATHS = ("run", "anomaly", "data.root", "data.path")  # keys whose value is a path
HYDRAS = (
    "help hydra-help version cfg resolve package run multirun shell-completion config-path config-name config-dir "
    "experimental-rerun info"
)
FLAGS = {f"--{flag}" for flag in HYDRAS.split()}
TAKE_A_VALUE = {"-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name", "-cd",
                "--config-dir", "-i", "--info", "--experimental-rerun"}  # fmt: skip
KEYS = ("folders=", "out=", "x=", "y=", "value=", "best=")


def asks_for_help(arguments: list[str]) -> bool:
    return not {"--help", "-h"}.isdisjoint(arguments)


def refused_flag(arguments: list[str], program: str, example: str) -> str | None:
    """Why a flag is refused: Hydra does not know it, or fails with a traceback on it."""
    for argument in arguments:
        flag = argument.partition("=")[0]
        if flag.startswith("--") and flag not in FLAGS:
            from vae_cli.config.failures import known_names

            key = did_you_mean(argument.lstrip("-"), known_names(program)) or f"; for example {example}"
            return f"there is no flag {argument}: keys are written key=value{key}"
        if flag in ("-c", "--cfg") and is_sweep(arguments):
            return "--cfg shows the configuration of one run: leave -m out"
    return None


def flags_first(arguments: list[str]) -> list[str]:
    """The flags with their values, then the overrides: Hydra's parser refuses overrides on both sides of a flag."""
    flags, overrides = list[str](), list[str]()
    for before, argument in zip(["", *arguments], arguments, strict=False):
        is_flag = argument.startswith("-") or before in TAKE_A_VALUE
        (flags if is_flag else overrides).append(argument)
    return flags + overrides


def is_sweep(arguments: list[str]) -> bool:
    return not {"-m", "--multirun"}.isdisjoint(arguments)


def with_quoted_paths(arguments: list[str]) -> list[str]:
    """Paths in Hydra's quotes: a sweep names its members by their overrides, and `=` and `,` mean something to Hydra. A sweep's
    paths become absolute, since its members may run in other folders."""
    sweep = is_sweep(arguments)
    return [_quoted_path(argument, sweep) for argument in arguments]


def _quoted_path(argument: str, sweep: bool) -> str:
    key, _, value = argument.partition("=")
    if key in PATHS and Path(value).expanduser().exists():
        value = str(Path(value).expanduser().absolute()) if sweep else value
        return f"{key}={json.dumps(value, ensure_ascii=False)}"
    if key == "hydra.sweep.dir" and value and value[0] not in "'\"$/":
        return f"{key}={json.dumps(str(Path(value).expanduser().absolute()), ensure_ascii=False)}"
    return argument


def unquoted(argument: str) -> str:
    key, _, value = argument.partition("=")
    return f"{key}={json.loads(value)}" if value.startswith('"') else argument


def positional(arguments: list[str]) -> list[str]:
    """`outputs/a outputs/b value=test.nll` → `folders=["outputs/a","outputs/b"] value=test.nll`, paths quoted: the
    folders of a sweep's members are named by overrides, and `=` and `,` mean something to Hydra."""
    folders, others = [], []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if before not in TAKE_A_VALUE and _is_folder(argument):
            folders.append(quoted(argument))
        elif argument.startswith("out=") and argument[4:5] not in ("", '"', "'") and argument != "out=null":
            others.append(f"out={quoted(argument[4:])}")
        else:
            others.append(argument)
    if folders:
        others.append(f"folders=[{','.join(folders)}]")
    return others


def _is_folder(argument: str) -> bool:
    if argument.startswith(("-", *KEYS)):
        return False
    return "=" not in argument or Path(argument).expanduser().is_dir()


def quoted(text: str) -> str:
    """In Hydra's quotes: backslashes count only before a quote, at the end and before `${`."""
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return '"' + re.sub(r'(\\*)("|$)', lambda m: m[1] * 2 + (r"\"" if m[2] else ""), text) + '"'
