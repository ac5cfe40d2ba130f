"""Overrides as Hydra takes them: quoted where Hydra's grammar needs it, so that nobody has to quote for Hydra inside of the
quotes for the shell. `=`, `,`, spaces and letters beyond ASCII mean something to Hydra, or nothing."""

import os
import re
from collections.abc import Callable
from pathlib import Path

# keys whose value is a path
PATHS = ("run", "anomaly", "out", "data.root", "data.path", "hydra.run.dir", "hydra.sweep.dir")
SIMPLE = re.compile(r"[\w./+:%-]*", re.ASCII)  # a value that Hydra takes for what it is
FUNCTIONS = "bool choice extend_list float glob int interval json_str range shuffle sort str tag"
# the beginning of quotes, a list or a function
OF_HYDRA = re.compile(rf"\s*(?:['\"\[{{]|(?:{FUNCTIONS.replace(' ', '|')})\()")
MOST_COMMAS = 30  # in the name of one folder
NO_PATHS = ("", "null", "???", "auto")


def for_hydra(override: str, sweep: bool, parses: Callable[[str], bool]) -> str:
    """`override` with its value quoted where that is needed. `parses` says whether Hydra can read an override."""
    key, equals, value = override.partition("=")
    name = key.lstrip("+")
    if not equals or value in NO_PATHS:
        return override
    if name in PATHS and not OF_HYDRA.match(value) and "${" not in value:
        return f"{key}={_path(name, value, sweep)}"
    if SIMPLE.fullmatch(value) or OF_HYDRA.match(value) or parses(override):
        return override
    values = value.split(",") if sweep else [value]
    quotes = _with_references if "${" in value else quoted
    return f"{key}={','.join(each if parses(f'{key}={each}') else quotes(each) for each in values)}"


def _path(key: str, value: str, sweep: bool) -> str:
    paths = _separate(value)
    if not sweep and not (len(paths) > 1 and all(map(_exists, paths))):
        paths = [value]  # else Hydra asks whether a sweep is meant
    return ",".join(_one_path(path, key == "hydra.sweep.dir" or (sweep and _exists(path))) for path in paths)


def _one_path(path: str, absolute: bool) -> str:
    """A sweep's paths become absolute, since its members may run in other folders."""
    expanded = os.path.expanduser(path)  # noqa: PTH111, which raises for a user that there is not
    if absolute:
        expanded = str(Path(expanded).absolute())
    return expanded if SIMPLE.fullmatch(expanded) else quoted(expanded)


def _separate(value: str) -> list[str]:
    """The paths of a list with commas, where paths have commas, too: the longest ones that exist."""
    parts, paths = value.split(","), []
    while parts:
        lengths = range(min(len(parts), MOST_COMMAS), 0, -1)
        length = next((n for n in lengths if _exists(",".join(parts[:n]))), 1)
        paths.append(",".join(parts[:length]))
        parts = parts[length:]
    return paths


def _exists(path: str) -> bool:
    return os.path.exists(os.path.expanduser(path))  # noqa: PTH110, PTH111, as above; false for a name that is too long


def quoted(text: str) -> str:
    """In Hydra's quotes: backslashes count only before a quote, at the end and before `${`."""
    return _with_references(re.sub(r"(\\*)\$\{", r"\1\1\\${", text))


def _with_references(text: str) -> str:
    """In Hydra's quotes; `${…}` keeps its meaning."""
    return '"' + re.sub(r'(\\*)("|$)', lambda m: m[1] * 2 + (r"\"" if m[2] else ""), text) + '"'


def unquoted(override: str) -> str:
    """The opposite, for a value that is one text in quotes."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import QuotedString

    parsed = OverridesParser.create().parse_override(override)
    text = parsed.value()
    quoted = isinstance(parsed._value, QuotedString)
    return f"{parsed.get_key_element()}={text}" if quoted else override
