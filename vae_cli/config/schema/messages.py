"""One sentence for what pydantic refuses: the key, the value, what is allowed and the nearest name."""

import re
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from vae_cli.config.schema.fields import Words
from vae_cli.config.schema.keys import option_class
from vae_cli.config.schema.run import GROUP_CONFIGS
from vae_cli.config.unknown_keys import no_such_key
from vae_cli.errors import did_you_mean

OURS = ("no_option", "external_target", "contradiction")  # errors whose message is the sentence already
LIKE_A_NUMBER = re.compile(r"[+-]?\d[\d_]*(\.\d*)?(e[+-]?\d+)?|true|false|null", re.IGNORECASE | re.ASCII)
COUNTED = {int: "a whole number", float: "a number"}


def sentence(error: ValidationError, model: type[BaseModel], value: Any, names: Iterable[str]) -> str:
    """The first thing that is wrong with `value`, which `model` refused; `names` are the keys that there are."""
    first = min(error.errors(include_url=False), key=lambda each: each["type"] == "contradiction")
    path = [str(step) for step in first["loc"] if isinstance(step, str)]
    if first["type"] in OURS:
        return first["msg"]
    found, depth = _field(model, value, path)
    key = ".".join(path[:depth])
    if found is None or first["type"] == "extra_forbidden":
        key = ".".join(path)
        return no_such_key(key, names)
    if first["type"] == "missing":
        return f"{key} must be given: {key}=VALUE"
    given = _at(value, path[:depth])
    inputs = [each["input"] for each in error.errors(include_url=False)]
    word = next((each for each in inputs if isinstance(each, str)), "")
    nearest = did_you_mean(word, _choices(found)) if word else ""
    return f"{key}={show(given)}{_in_quotes(given)} is not allowed; allowed is {allowed(found)}{nearest}"


def _in_quotes(value: Any) -> str:
    """A number in quotes is a text, which is easily overlooked."""
    return " in quotes" if isinstance(value, str) and LIKE_A_NUMBER.fullmatch(value) else ""


def show(value: Any) -> str:
    return "null" if value is None else str(value).replace("'", "")


def allowed(field: FieldInfo) -> str:
    """What a field takes, in words."""
    return _words(field.annotation, field.metadata)


def _words(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    metadata = list(metadata)
    if words := next((each.allowed for each in metadata if isinstance(each, Words)), None):
        return words
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(arguments[0], _flat(arguments[1:]) + metadata)
    if origin is Literal:
        return ", ".join(arguments)
    if origin in (Union, types.UnionType):
        kinds = [each for each in arguments if each is not type(None)]
        return " or ".join(_words(each) for each in kinds) + (
            ", or null" if len(kinds) < len(arguments) else ""
        )
    if origin is list:
        return f"a list of {_length(metadata)} values, each {_words(arguments[0])}"
    if annotation in COUNTED:
        return COUNTED[annotation] + _bounds(metadata)
    return {bool: "true or false", str: "a text"}.get(annotation, "a group of keys")


def _flat(metadata: Iterable[Any]) -> list[Any]:
    """pydantic keeps bounds inside `Field(...)`."""
    return [part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else [each])]


def _length(metadata: Iterable[Any]) -> str:
    low = next((each.min_length for each in metadata if isinstance(each, MinLen)), 0)
    high = next(each.max_length for each in metadata if isinstance(each, MaxLen))
    return str(high) if low == high else f"{low} to {high}"


def _bounds(metadata: Iterable[Any]) -> str:
    """Every number has both."""
    low = next(each.ge for each in metadata if isinstance(each, Ge))
    high = next(each.le for each in metadata if isinstance(each, Le))
    return f" from {_number(low)} to {_number(high)}"


def _number(value: Any) -> str:
    """As the command line takes it, too: 1_000_000, 1e-30."""
    return f"{value:_}" if isinstance(value, int) else f"{value:.7g}".replace("e+", "e").replace("e-0", "e-")


def _choices(field: FieldInfo) -> list[str]:
    """All texts that a field accepts literally."""

    def inside(annotation: Any) -> list[str]:
        if get_origin(annotation) is Literal:
            return [each for each in get_args(annotation) if isinstance(each, str)]
        return [choice for each in get_args(annotation) for choice in inside(each)]

    return inside(field.annotation)


def _field(model: type[BaseModel], value: Any, path: list[str]) -> tuple[FieldInfo | None, int]:
    """The field that a path of keys leads to, and how many steps of the path lead there."""
    for depth, key in enumerate(path, 1):
        field = next((f for name, f in model.model_fields.items() if key in (name, f.alias)), None)
        if field is None:
            return None, depth
        value = value.get(key) if isinstance(value, dict) else None
        below = _model(key, field, value)
        if below is None:
            return field, depth
        model = below
    return field, len(path)


def _model(key: str, field: FieldInfo, value: Any) -> type[BaseModel] | None:
    if key in GROUP_CONFIGS and field.annotation is GROUP_CONFIGS[key]:
        target = value.get("_target_") if isinstance(value, dict) else None
        return option_class(key, str(target))
    below = field.annotation
    return below if isinstance(below, type) and issubclass(below, BaseModel) else None


def _at(value: Any, path: list[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
