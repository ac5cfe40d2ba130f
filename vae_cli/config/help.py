"""--help and the tables of configs/README.md, made from the comments in the YAML files. Imports nothing heavy.

In a YAML file the lines of comment at its top say what the option is, and each key's comment, behind it or in indented
lines below it, says what the key means.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

HIDDEN = ("_target_", "defaults", "hydra")
COMMENT_LINE = re.compile(r"\s+# ?(?P<comment>.*)")
KEY_LINE = re.compile(
    r"(?P<indent> *)(?P<key>[\w/@.]+):(?: +(?P<value>[^#\s].*?))?(?:\s+# ?(?P<comment>.*))?$"
)


class Key(NamedTuple):
    key: str  # dotted, without the group
    value: str  # as the file has it
    comment: str


class Option(NamedTuple):
    """What one YAML file says."""

    name: str
    title: str  # the first lines of comment
    keys: list[Key]
    defaults: list[dict[str, str]]


def read(file: Path) -> Option:
    lines = file.read_text(encoding="utf-8").splitlines()
    title = []
    for line in lines:
        if not line.startswith("#"):
            break
        title.append(line.removeprefix("#").removeprefix(" "))
    defaults = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", [])
    return Option(
        file.stem, "\n".join(title), list(_keys(lines)), [each for each in defaults if isinstance(each, dict)]
    )


def _keys(lines: Sequence[str]) -> Iterator[Key]:
    """Keys of the first two levels, but for those of `HIDDEN`."""
    section, keys = "", list[Key]()
    for line in lines:
        if (more := COMMENT_LINE.fullmatch(line)) and keys:
            last = keys[-1]
            keys[-1] = last._replace(comment=f"{last.comment} {more['comment']}".strip())
            continue
        if not (found := KEY_LINE.fullmatch(line)):
            continue
        if not found["indent"]:
            section = found["key"]
        if section in HIDDEN or len(found["indent"]) > 2:
            continue
        key = f"{section}.{found['key']}" if found["indent"] else section
        keys.append(Key(key, found["value"] or "", found["comment"] or ""))
    sections = {key.key.rpartition(".")[0] for key in keys}
    is_option = any(line.startswith("_target_:") for line in lines) or (
        "defaults:" in lines and "_self_" not in "".join(lines)
    )
    yield from (key for key in keys if key.key not in sections and not (is_option and key.key == "name"))


def inherited(folder: Path, option: Option) -> Option:
    """With the keys of the options that it builds on."""
    keys: dict[str, Key] = {}
    for name in _bases(folder / f"{option.name}.yaml"):
        keys |= {key.key: key for key in inherited(folder, read(folder / f"{name}.yaml")).keys}
    for key in option.keys:
        keys[key.key] = (
            key if key.comment or key.key not in keys else key._replace(comment=keys[key.key].comment)
        )
    return option._replace(keys=list(keys.values()))


def _bases(file: Path) -> list[str]:
    defaults = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", [])
    return [each for each in defaults if isinstance(each, str) and each != "_self_"]


def groups(configs: Path) -> dict[str, list[Option]]:
    """Every group but Hydra's with its options."""
    return {
        folder.name: [inherited(folder, read(file)) for file in sorted(folder.glob("*.yaml"))]
        for folder in sorted(configs.iterdir())
        if folder.is_dir() and folder.name != "hydra"
    }


def text(configs: Path, primary: str, chosen: Iterable[str] = ()) -> str:
    """What `--help` prints of the command whose configuration is `primary`.yaml; `chosen` are the options
    (`group=option`) whose keys are shown instead of those of the default options."""
    command = read(configs / f"{primary}.yaml")
    parts = [command.title]
    if command.defaults and (default := _default_options(command)):
        selected = default | dict(each.split("=", 1) for each in chosen if each.split("=", 1)[0] in default)
        found = groups(configs)
        parts += ["Groups (group=option)", _group_list(found, default)]
        parts += ["Keys (key=value) with their defaults", _key_list("", command.keys)]
        for group, name in selected.items():
            for option in found.get(group, []):
                if option.name == name and option.keys:
                    about = option.title.split("\n")[0]
                    parts += [
                        f"{group}={name}" + (f": {about}" if about else ""),
                        _key_list(f"{group}.", option.keys),
                    ]
    else:
        parts += ["Keys (key=value) with their defaults", _key_list("", command.keys)]
    return "\n\n".join(parts)


def _default_options(command: Option) -> dict[str, str]:
    """Group → the option that is taken unless another is named."""
    pairs = ((str(group), str(name)) for each in command.defaults for group, name in each.items())
    return {group: name for group, name in pairs if not group.startswith("override") and name != "None"}


def _group_list(found: dict[str, list[Option]], default: dict[str, str]) -> str:
    lines = []
    for group, options in found.items():
        names = [
            f"{each.name} (default)" if default.get(group) == each.name else each.name for each in options
        ]
        lines.append(_wrapped(f"  {group:<14}", ", ".join(names)))
    return "\n".join(lines)


def _key_list(prefix: str, keys: Sequence[Key]) -> str:
    width = min(30, max(len(prefix + key.key) for key in keys))
    values = min(16, max(len(key.value) for key in keys))
    return "\n".join(
        _wrapped(f"  {prefix + key.key:<{width}}  {key.value:<{values}}  ", key.comment) for key in keys
    )


def _wrapped(start: str, words: str, columns: int = 118) -> str:
    import textwrap

    return textwrap.fill(words, columns, initial_indent=start, subsequent_indent=" " * len(start), break_long_words=False) if words else start.rstrip()  # fmt: skip


def tables(configs: Path) -> str:
    """Markdown: a section a group, a table an option, for configs/README.md."""
    run = read(configs / "config.yaml")
    parts = ["### Plain keys", "", _table("", run.keys)]
    for group, options in groups(configs).items():
        if group == "experiment":
            continue
        parts += ["", f"### {group}"]
        for option in options:
            parts += [
                "",
                f"`{group}={option.name}`" + (f": {' '.join(option.title.split())}" if option.title else ""),
            ]
            if option.keys:
                parts += ["", _table(f"{group}.", option.keys)]
    for command, title in (("eval", "vae-eval"), ("compare", "vae-compare")):
        parts += ["", f"### Keys of {title}", "", _table("", read(configs / f"{command}.yaml").keys)]
    return "\n".join(parts) + "\n"


def _table(prefix: str, keys: Sequence[Key]) -> str:
    cells = [(f"`{prefix}{key.key}`", f"`{key.value}`" if key.value else "", key.comment) for key in keys]
    rows = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in cells]
    return "\n".join(["| key | default | meaning |", "| --- | --- | --- |", *(f"| {row} |" for row in rows)])
