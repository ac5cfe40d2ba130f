"""Checks the overrides of a command line: what Hydra would accept and then ignore, in part or as a whole, is refused."""

import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from hydra.conf import HydraConf
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, ValueType
from hydra.errors import HydraException
from omegaconf import grammar_parser
from omegaconf.errors import GrammarParseError

from vae_cli.config.flags import Words
from vae_cli.config.quoting import for_hydra
from vae_cli.config.schema.run import GROUPS
from vae_cli.errors import UserError, did_you_mean

OURS = {  # keys of Hydra that do not only change where something is written, and to how much of it
    "hydra.callbacks.before": "it refuses what cannot run",
    "hydra.job_logging": "a run writes its own train.log",
    "hydra.output_subdir": "a run writes .hydra/ itself",
    "hydra.overrides": "it holds what was typed",
    "hydra.runtime": "it holds what Hydra found",
    "hydra.mode": "-m starts a sweep",
}
HYDRAS = {field.name for field in fields(HydraConf)}
SECTIONS = HYDRAS - {"verbose", "searchpath"}  # groups of keys
INDEX = re.compile(r"(?P<list>.+?)\.(?P<index>\d+)(\..*)?")


def checked(words: Words, folder_key: str) -> list[str]:
    """The overrides as Hydra reads them. `folder_key` is the key that takes a run folder. Raises UserError for one that
    cannot be read, or that Hydra would drop."""
    parser = OverridesParser.create()

    def parses(override: str) -> bool:
        try:
            parser.parse_override(override)
        except HydraException:
            return False
        return True

    overrides = [for_hydra(word, words.is_sweep, parses) for word in words.overrides]
    for word, override in zip(words.overrides, overrides, strict=True):
        if word.lstrip("+~").startswith(("=", "@")) or not parses(override):
            raise UserError(_unreadable(word, folder_key))
    parsed = parser.parse_overrides(overrides)
    for each in parsed:
        _refuse_alone(each, words.is_sweep)
        if words.is_sweep:
            _refuse_broken_references(each)
    _refuse_twice(parsed)
    _refuse_other_names(parsed)
    return overrides


def _unreadable(word: str, folder_key: str) -> str:
    if "=" not in word and Path(word).is_dir():
        return f"cannot read {word!r}: a run folder is written {folder_key}=FOLDER"
    quotes = "; a list is written key=[a,b]" if "=" in word else ""
    return f"cannot read {word!r}: write key=value{quotes}"


def _refuse_alone(override: Override, sweep: bool) -> None:
    key, line = override.key_or_group, override.input_line
    if found := INDEX.fullmatch(key):
        raise UserError(f"{key}: one value of a list cannot be set; give the whole list, {found['list']}=[…]")
    for ours, reason in OURS.items():
        if f"{key}.".replace("/", ".").startswith(f"{ours}.") and line != "hydra.mode=MULTIRUN":
            raise UserError(f"{key} cannot be changed: {reason}")
    if key == "hydra" or (key.startswith("hydra.") and key[len("hydra.") :] in SECTIONS):
        raise UserError(f"{line} would replace a group of keys as a whole; {key}.KEY=VALUE sets one of them")
    if key.startswith("hydra.") and key.split(".")[1] not in HYDRAS:
        raise UserError(f"there is no key {key!r}{did_you_mean(key, [f'hydra.{name}' for name in HYDRAS])}")
    if override.package and key in (*GROUPS, "experiment"):
        raise UserError(f"{line} is not allowed: {key}=OPTION chooses, without @{override.package}")
    merges = key == "experiment"
    if (merges or key in GROUPS) and not all(_chooses(value, merges) for value in _values(override)):
        raise UserError(f"{line} is not allowed; {key} takes the name of one of its options: {key}=OPTION")
    if override.is_sweep_override() and not sweep:
        several = "; key=[a,b] is a list" if override.value_type == ValueType.SIMPLE_CHOICE_SWEEP else ""
        raise UserError(f"{line} gives several values: -m (--multirun) takes one after the other{several}")


def _refuse_broken_references(override: Override) -> None:
    """Of a sweep, Hydra would name its own list of overrides, where it keeps them."""
    for value in _values(override):
        text = value.text if isinstance(value, QuotedString) else value
        if isinstance(text, str) and "${" in text:
            try:
                grammar_parser.parse(text)
            except GrammarParseError as error:
                raise UserError(
                    f"cannot read {override.input_line!r}: {str(error).splitlines()[0]}"
                ) from error


def _values(override: Override) -> Sequence[object]:
    """Those that an override gives one after the other; a pattern and an override without a value give none."""
    if isinstance(override._value, ChoiceSweep):
        return override._value.list
    return [] if override.is_delete() or isinstance(override._value, Glob) else [override._value]


def _chooses(value: object, merges: bool) -> bool:
    """Whether it names an option, or several presets that are merged, or gives keys of the option that is chosen."""
    if isinstance(value, list):
        return merges and all(isinstance(each, str | QuotedString) for each in value)
    return isinstance(value, str | QuotedString | dict)


def _refuse_twice(overrides: Sequence[Override]) -> None:
    """Of two values of one key, Hydra would drop the first one. An option and keys of it go together."""
    before: dict[str, Override] = {}
    for override in overrides:
        key = override.key_or_group + (f"@{override.package}" if override.package else "")
        other = before.setdefault(key, override)
        if other is not override and (other.input_line or "").lstrip("+") != (
            override.input_line or ""
        ).lstrip("+"):
            raise UserError(f"{key} is given twice: {other.input_line} and {override.input_line}")
    for key, override in before.items():
        inside = next((each for each in before if each.startswith(f"{key}.")), None)
        if inside and isinstance(override.value(), dict):
            raise UserError(f"{inside} is given twice: {override.input_line} and {before[inside].input_line}")


def _refuse_other_names(overrides: Sequence[Override]) -> None:
    """The name of an option is what chooses it; a class of the user's own, which `_target_` names, has none yet."""
    given = {override.key_or_group: override for override in overrides}
    for group in GROUPS:
        if (named := given.get(f"{group}.name")) and f"{group}._target_" not in given:
            raise UserError(
                f"{named.input_line} would change what an option is called: {group}=OPTION chooses one"
            )
