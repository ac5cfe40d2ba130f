"""Reads the YAML files of configurations for Hydra, so that a fault in a user's file is one line with the file and the line."""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path

import yaml
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.plugins.config_source import ConfigLoadError, ConfigResult
from omegaconf import Container, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vae_cli.config.yaml_comments import config_folder
from vae_cli.errors import UserError

PROBLEMS = {  # what PyYAML says → what to do
    r"found character '\\t'.*": "a tab: YAML indents by spaces",
    r"found duplicate key (.*)": r"the key \1 is here a second time",
    r"mapping values are not allowed here": "a colon that YAML does not expect: quote the value, or check the indentation",
}
PLACES: dict[
    str, str
] = {}  # dotted key → file and line, for the keys in the user's files of this configuration


def read_by_us() -> None:
    """Let Hydra read files by our class. Call it after Hydra has imported its plugins."""
    SourcesRegistry.instance().types["file"] = FileConfigSource


class FileConfigSource(file_config_source.FileConfigSource):
    """It has the name of Hydra's class: a launcher's worker would otherwise fail when it registers Hydra's beside ours."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Raises UserError for a file that cannot be read."""
        file = Path(self.path) / self._normalize_file_name(config_path)
        if not file.exists():
            raise ConfigLoadError(f"Config not found : {file}")
        if "/" not in config_path:  # the first file of a configuration
            PLACES.clear()
        text = _text(file)
        header = self._header(file, text, config_path)
        config = _config(file, text)
        if not file.is_relative_to(config_folder()):
            PLACES.update(_places(file, text, _package(config_path, header)))
        return ConfigResult(
            config=config, path=f"{self.scheme()}://{self.path}", provider=self.provider, header=header
        )

    def _header(self, file: Path, text: str, config_path: str) -> dict[str, str | None]:
        try:
            header = self._get_header_dict(text[:512])
        except ValueError as error:
            raise UserError(f"{_shown(file)}, line 1: {error}") from error
        if config_path.startswith("experiment/") and not header.get("package"):
            header["package"] = (
                "_global_"  # a preset is for the whole configuration; its keys would reach nothing else
            )
        return header


def place(steps: Sequence[str]) -> str:
    """Where the user's file gives a key, or a key above or below it, as an addition to a sentence. Empty where no file gives
    it, or the command line does. `steps` are the parts of the key."""
    keys = [".".join(steps[:n]) for n in range(len(steps), 0, -1)]
    if {word.lstrip("+").partition("=")[0] for word in sys.argv[1:]}.intersection(keys):
        return ""
    found = (line for key in keys for name, line in PLACES.items() if f"{name}.".startswith(f"{key}."))
    return "".join(f" ({line})" for line in islice(found, 1))


def _text(file: Path) -> str:
    """Without a byte-order mark, and with Unix's line ends."""
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise UserError(
            f"{_shown(file)}, line {line}: byte {byte:#x} is no UTF-8; save it as UTF-8"
        ) from error


def _config(file: Path, text: str) -> Container:
    try:
        config = OmegaConf.load(StringIO(text))
    except yaml.YAMLError as error:
        raise UserError(f"{_shown(file)}, line {_line(error, text)}: {_problem(error)}") from error
    except (OmegaConfBaseException, OSError, ValueError) as error:
        raise UserError(f"{_shown(file)}: {str(error).splitlines()[0]}") from error
    except RecursionError:
        raise UserError(f"{_shown(file)}: an alias (*name) stands inside of what it names") from None
    if not isinstance(yaml.compose(text, Loader=yaml.SafeLoader), yaml.MappingNode | None):
        raise UserError(f"{_shown(file)} has no keys: write KEY: VALUE")
    return config


def _line(error: yaml.YAMLError, text: str) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else text.count("\n", 0, getattr(error, "position", 0)) + 1


def _problem(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    for pattern, words in PROBLEMS.items():
        if found := re.fullmatch(pattern, problem):
            return found.expand(words)
    return str(problem)


def _shown(file: Path) -> str:
    return os.path.relpath(file) if file.is_relative_to(Path.cwd()) else str(file)


def _package(config_path: str, header: Mapping[str, str | None]) -> str:
    """Before which keys of the configuration those of the file are put."""
    group = config_path.rpartition("/")[0].replace("/", ".")
    given = header.get("package")
    return group if given in (None, "_group_") else str(given).replace("_global_", "")


def _places(file: Path, text: str, package: str) -> Iterator[tuple[str, str]]:
    for key, line in _lines(yaml.compose(text, Loader=yaml.SafeLoader), package):
        yield key, f"{_shown(file)}, line {line}"


def _lines(node: yaml.Node | None, before: str) -> Iterator[tuple[str, int]]:
    """Each key below a node, and its line."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{before}.{key.value}" if before else str(key.value)
            yield name, key.start_mark.line + 1
            yield from _lines(value, name)
