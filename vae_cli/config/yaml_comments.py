"""What the comments in the YAML files say: the source of --help and of the tables in configs/README.md.

The comment lines at the top of a YAML file say what the option is. The comment of a key, behind it or in indented lines
below it, says what the key means. Imports nothing heavy.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from vae_cli.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]
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


def config_folder() -> Path:
    """configs/: inside the installed wheel, or beside the package in a checkout."""
    for folder in (PACKAGE / "configs", PACKAGE.parent / "configs"):
        if (folder / "config.yaml").exists():
            return folder
    raise UserError(
        f"{PACKAGE} has no configs/config.yaml: the installation is incomplete; install vae-cli again"
    )


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
