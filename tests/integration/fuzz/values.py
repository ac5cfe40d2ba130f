"""Values for a field of the schema, made from its type and bounds: valid ones, those at the bounds, and hostile ones.

The kinds of values are read from the annotations again, by other means than pydantic's, so that a value that pydantic lets
through can be noticed.
"""

import math
import random
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from integration.fuzz.hostile_words import HOSTILE
from pydantic.fields import FieldInfo

UNKNOWN = object()  # what a text means is Hydra's to say

PLAIN: list[tuple[str, Any]] = [  # texts whose meaning is beyond doubt
    ("null", None), ("true", True), ("False", False), ("0", 0), ("1", 1), ("-1", -1), ("2", 2), ("3.5", 3.5), ("-0.5", -0.5),
    ("1e3", 1e3), ("1e-46", 1e-46), ("5e-324", 5e-324), ("1e39", 1e39), ("1e308", 1e308), ("1e400", math.inf), ("inf", math.inf),
    ("-inf", -math.inf), ("nan", math.nan), ("1_000", 1000), (str(10**18), 10**18), (str(2**31), 2**31), (str(2**32), 2**32),
    (str(2**63), 2**63), (str(2**64), 2**64), ("1" + "0" * 400, 10**400), ("-" + "9" * 50, -(10**50 - 1)), ("[]", []), ("[1]", [1]),
    ("[1,2]", [1, 2]), ("[2,1]", [2, 1]), ("[0,0]", [0, 0]), ("[0.9,0.99]", [0.9, 0.99]), ("[[1,2]]", [[1, 2]]), ("[null]", [None]),
    ("[a]", ["a"]), ("{}", {}), ("{a:1}", {"a": 1}), ("a", "a"), ("'1'", "1"), ("''", ""), ("auto", "auto"), ("none", "none"),
    (f"[{','.join('1' * 200)}]", [1] * 200),
]  # fmt: skip


class Kind(NamedTuple):
    """One of the types of values that a field takes."""

    type: type | None  # int, float, bool, str, list; None for null
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()  # of a text; none: any
    items: tuple["Kind", ...] = ()  # of a list
    shortest: int = 0
    longest: int = 10**9

    def takes(self, value: Any) -> bool:
        """Whether the value has this type and is within its bounds."""
        if value is None or self.type is None:
            return value is None and self.type is None
        if isinstance(value, bool) or self.type is bool:
            return isinstance(value, bool) and self.type is bool
        if isinstance(value, int | float):
            fits = self.type is float or (self.type is int and isinstance(value, int))
            return fits and self.low <= value <= self.high  # never of nan
        if isinstance(value, list) and self.type is list:
            each = all(any(kind.takes(item) for kind in self.items) for item in value)
            return each and self.shortest <= len(value) <= self.longest
        if isinstance(value, str) and self.type is str:
            return value in self.choices if self.choices else self.shortest <= len(value) <= self.longest
        return False


class Value(NamedTuple):
    """What is written after the `=`."""

    text: str
    value: Any = UNKNOWN
    wrong: bool = False  # no type of the field takes it


def kinds(annotation: Any, metadata: Iterable[Any] = ()) -> tuple[Kind, ...]:
    """Of a field."""
    metadata = [
        part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else [each])
    ]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kinds(arguments[0], [*arguments[1:], *metadata])
    if origin in (Union, types.UnionType):
        return tuple(kind for each in arguments for kind in kinds(each))
    if origin is Literal:
        return (Kind(str, choices=arguments),)
    lengths = {
        "shortest": next((each.min_length for each in metadata if isinstance(each, MinLen)), 0),
        "longest": next((each.max_length for each in metadata if isinstance(each, MaxLen)), 10**9),
    }
    if origin is list:
        return (Kind(list, items=kinds(arguments[0]), **lengths),)
    if annotation is str:
        return (Kind(str, **lengths),)
    low = next((each.ge for each in metadata if isinstance(each, Ge)), -math.inf)
    high = next((each.le for each in metadata if isinstance(each, Le)), math.inf)
    return (Kind(None if annotation is type(None) else annotation, low, high),)


def written(value: Any) -> str:
    """As Hydra reads it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(map(written, value))}]" if isinstance(value, list) else str(value)


def quoted(text: str) -> str:
    """In Hydra's quotes, which leave backslashes alone but before a quote."""
    return "'" + text.replace("'", "\\'") + "'"


def valid(kind: Kind, draw: random.Random, most: float) -> Any:
    """A value of a kind, numbers of things at most `most`."""
    if kind.type is int:
        low = max(kind.low, 0)
        return draw.randint(int(low), int(min(kind.high, max(most, low))))
    if kind.type is float:
        low, high = max(kind.low, -4.0), min(kind.high, 4.0)
        return draw.choice([round(draw.uniform(low, high), 3), max(low, min(high, 0.5))])
    if kind.type is bool:
        return draw.random() < 0.5
    if kind.type is list:
        length = draw.randint(kind.shortest, max(kind.shortest, min(kind.longest, 2)))
        return [valid(draw.choice(kind.items), draw, most) for _ in range(length)]
    if kind.type is str:
        return draw.choice(kind.choices) if kind.choices else "text"
    return None


def at_the_bounds(kind: Kind) -> list[Any]:
    """The smallest and largest values, of a list the shortest and longest ones."""
    if kind.type in (int, float):
        return [kind.low, kind.high]
    if kind.type is list:
        inner = at_the_bounds(kind.items[0])
        return [[each] * max(kind.shortest, 1) for each in inner] + [[]] * (not kind.shortest)
    return list(kind.choices)


def beyond(kind: Kind) -> list[Any]:
    """Just outside."""
    if kind.type is int:
        return [kind.low - 1, kind.high + 1]
    if kind.type is float:
        step = (kind.high - kind.low) / 100
        return [math.nextafter(kind.low, -math.inf), kind.low - step, math.nextafter(kind.high, math.inf)]
    if kind.type is list:
        each = valid(kind.items[0], random.Random(0), 4)
        return [[each] * (kind.shortest - 1)] * (kind.shortest > 0) + [[each] * min(kind.longest + 1, 2000)]
    return [f"{choice}x" for choice in kind.choices]


def draw_value(found: tuple[Kind, ...], draw: random.Random, most: float) -> Value:
    """A value of any quality for a field."""
    kind, way = draw.choice(found), draw.random()
    if way < 0.5:
        value = valid(kind, draw, most)
    elif way < 0.65 and (bounds := at_the_bounds(kind)):
        value = draw.choice(bounds)
    elif way < 0.75 and (outside := beyond(kind)):
        value = draw.choice(outside)
    elif way < 0.9:
        text, value = draw.choice(PLAIN)
        return Value(text, value, not any(each.takes(value) for each in found))
    else:
        text = draw.choice(HOSTILE)
        return Value(draw.choice([text, quoted(text)]))
    return Value(written(value), value, not any(each.takes(value) for each in found))
