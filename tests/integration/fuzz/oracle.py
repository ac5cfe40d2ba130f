"""What every command line must do, whatever is in it: end in time, without a traceback; be refused in one line that names what
is wrong, and leave nothing; or be carried out, with nothing of it ignored."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from command_server import Finished
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from integration.fuzz.grammar import Line, Word
from integration.fuzz.naming import named
from integration.fuzz.values import UNKNOWN

from vae_cli.config.schema.run import GROUPS

LONGEST = 300
STOPPED = 130  # by our SIGTERM, which ends what would train for long
SHOWS = (
    "--help",
    "-h",
    "--hydra-help",
    "--version",
    "--cfg",
    "-c",
    "--info",
    "-i",
    "--shell-completion",
    "-sc",
)
PATHS = ("run", "folders", "data.path", "data.root")  # a sweep makes them absolute
FAILED = ("diverged", "failed", "interrupted")
Tree = dict[str, object]


def tree(folder: Path) -> Tree:
    """Every path below, with its content."""
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        is_file = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(folder))] = path.read_bytes() if is_file else path.is_symlink()
    return found


def violations(line: Line, done: Finished, folder: Path, before: Tree) -> Iterator[str]:
    """`folder` is the one that everything is in; `before` is its tree before the command."""
    if done.timed_out:
        yield "did not end, not even after SIGTERM"
        return
    both = done.stdout + done.stderr
    if "Traceback (most recent call last)" in both or "fault of vae-cli" in both:
        yield "a traceback, or said to be a fault of vae-cli"
    if done.returncode not in (0, 1, 2, STOPPED):
        yield f"ended with {done.returncode}"
    if done.left_processes:
        yield "left processes"
    if (
        text := next((each for each in both.replace("\t", " ").split("\n") if not each.isprintable()), None)
    ) is not None:
        yield f"not printable: {text[:100]!r}"
    if done.returncode == 0:
        yield from of_a_success(line, done, folder, before)
    else:
        yield from of_a_failure(line, done, folder, before)


def of_a_failure(line: Line, done: Finished, folder: Path, before: Tree) -> Iterator[str]:
    lines = done.stderr.removesuffix("\n").split("\n")
    yield from of_the_message(line, lines, done.stdout)
    statuses = {json.loads(path.read_text())["status"] for path in new_files(folder, before, "summary.json")}
    if done.returncode == STOPPED or (statuses and statuses <= {*FAILED, "finished"}):
        return  # it was accepted, and something went wrong later
    if lines != [""] and not named(line, done.stderr):
        yield "the message names neither a key nor a text of the command line"
    members_refused = several(line) and done.returncode == 1  # their folders say so
    if not members_refused and (after := tree(folder)) != before:
        yield f"left or changed: {[name for name in after | before if after.get(name) != before.get(name)][:5]}"


def of_the_message(line: Line, lines: list[str], output: str) -> Iterator[str]:
    if lines == [""] and several(line) and output:
        return  # the table of the members says what has failed
    if len(lines) != 1 and not several(line):
        yield f"{len(lines)} lines on stderr"
    if (longest := max(map(len, lines))) > LONGEST:
        yield f"a line of {longest} characters"
    if others := [text for text in lines if not text.startswith(line.program)]:
        yield f"a line that does not begin with the program: {others[0][:100]!r}"


def of_a_success(line: Line, done: Finished, folder: Path, before: Tree) -> Iterator[str]:
    if done.stderr:
        yield f"stderr of a success: {done.stderr[:100]!r}"
    if any(text.partition("=")[0] in SHOWS for text in line.arguments):
        if tree(folder) != before:
            yield "left something, though it was only asked"
        if not done.stdout:
            yield "shows nothing"
        return
    for word in line.words:
        if word.wrong:
            yield f"accepted {word.text[:100]!r}"
    configs = list(settings(line.program, folder, before))
    if not configs:
        yield "nothing was done"
    for config in configs:
        for word in line.words:
            yield from ignored(word, config, line)


def settings(program: str, folder: Path, before: Tree) -> Iterator[dict[str, Any]]:
    """The settings with which it was carried out, as it has saved them."""
    if program == "vae-train":
        yield from (yaml.safe_load(file.read_text()) for file in new_files(folder, before, "config.yaml"))
        return
    name = {"vae-eval": "evaluation/summary.json", "vae-compare": "compare.json"}[program]
    yield from (json.loads(file.read_text())["settings"] for file in new_files(folder, before, name))


def new_files(folder: Path, before: Tree, name: str) -> list[Path]:
    now = tree(folder)
    return [
        folder / path for path in now if f"/{path}".endswith(f"/{name}") and now[path] != before.get(path)
    ]


def ignored(word: Word, config: dict[str, Any], line: Line) -> Iterator[str]:
    """Whether what the word asks for is in the saved configuration."""
    key, value, is_removed = asked(word)
    if (
        key is None
        or key.startswith(("hydra.", "hydra/", "resume"))
        or key in (*PATHS, "out", "hydra", "experiment")
    ):
        return
    found: Any = config
    for step in (f"{key}.name" if key in GROUPS else key).split("."):
        found = found.get(step, UNKNOWN) if isinstance(found, dict) else UNKNOWN
    if is_removed:
        if found is not UNKNOWN:
            yield f"{word.text!r} is ignored: the run has {key}={found!r}"
    elif value is not UNKNOWN and not same(found, value):
        yield f"{word.text[:100]!r} is ignored: the run has {str(found)[:100]!r}"
    values = [value for other in line.words for found_key, value, _ in [asked(other)] if found_key == key]
    if any(not same(values[0], value) for value in values[1:]):
        yield f"accepted though {key} is given with several values"


def asked(word: Word) -> tuple[str | None, Any, bool]:
    """The key of an override, its value, and whether the key is to go. UNKNOWN: the value depends on more than the word."""
    if word.value is not UNKNOWN and word.key:
        return word.key, word.value, False
    try:
        override = OverridesParser.create().parse_override(word.text)
    except (HydraException, ValueError):
        return None, UNKNOWN, False
    if override.is_sweep_override() or override.package is not None:
        return None, UNKNOWN, False
    if override.is_delete():
        return override.key_or_group, UNKNOWN, True
    value = override.value()
    return override.key_or_group, UNKNOWN if "${" in str(value) else value, False


def same(found: Any, value: Any) -> bool:
    if isinstance(found, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return math.isclose(found, value, rel_tol=1e-12)
    if isinstance(found, list) and isinstance(value, list):
        return len(found) == len(value) and all(map(same, found, value))
    if isinstance(found, dict) and isinstance(value, dict):
        return all(same(found.get(key), each) for key, each in value.items())
    return found == value or str(found) == str(value).removesuffix(".yaml")  # an option's file names it, too


def several(line: Line) -> bool:
    return not {"-m", "--multirun"}.isdisjoint(line.arguments)
