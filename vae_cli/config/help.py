"""The text of --help, made from the comments in the YAML files. Imports nothing heavy."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from vae_cli.config.yaml_comments import Key, Option, groups, read
from vae_cli.errors import UserError, did_you_mean

COLUMNS = 118
# flags that name a folder with options of the user's own
OWN_OPTIONS = {"--config-dir", "-cd", "--config-path", "-cp"}


def text(configs: Path, primary: str, chosen: Iterable[str] = ()) -> str:
    """What `--help` prints of the command whose configuration is `primary`.yaml; `chosen` are the options
    (`group=option`) whose keys are shown instead of those of the default options. Raises UserError for an option that
    there is not; one of a user's own folder is not known here."""
    command = read(configs / f"{primary}.yaml")
    parts = [command.title]
    if command.defaults and (default := _default_options(command)):
        found = groups(configs)
        selected = default | dict(each.split("=", 1) for each in chosen if each.split("=", 1)[0] in found)
        parts += ["Groups (group=option)", _group_list(found, default)]
        parts += ["Keys (key=value) with their defaults", _key_list("", command.keys)]
        for group, name in selected.items():
            names = [each.name for each in found.get(group, [])]
            if (
                name.isidentifier()
                and name not in names
                and not OWN_OPTIONS & {w.split("=")[0] for w in chosen}
            ):
                raise UserError(
                    f"there is no {group}={name}; allowed are {', '.join(names)}{did_you_mean(name, names)}"
                )
            parts += [
                _option(group, each) for each in found.get(group, []) if each.name == name and each.keys
            ]
    else:
        parts += ["Keys (key=value) with their defaults", _key_list("", command.keys)]
    return "\n\n".join(parts)


def _option(group: str, option: Option) -> str:
    title = textwrap.fill(f"{group}={option.name}: {option.title}", COLUMNS)
    return f"{title}\n\n{_key_list(f'{group}.', option.keys)}"


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


def _wrapped(start: str, words: str, columns: int = COLUMNS) -> str:
    if not words:
        return start.rstrip()
    below = " " * len(start)
    return textwrap.fill(
        words, columns, initial_indent=start, subsequent_indent=below, break_long_words=False
    )
