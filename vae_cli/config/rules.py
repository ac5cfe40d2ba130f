"""What a value may be, in words and as a test."""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple


class Rule(NamedTuple):
    allowed: str  # in words
    accepts: Callable[[Any], bool]


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (is_whole(value) or isinstance(value, float)) and math.isfinite(value)


def whole(low: int, high: int | None = None) -> Rule:
    words = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"
    return Rule(words, lambda v: is_whole(v) and v >= low and (high is None or v <= high))


def number(low: float, high: float = math.inf, *, above: bool = False) -> Rule:
    words = f"a number above {low:g}" if above else f"a number of at least {low:g}"
    if high < math.inf:
        words += f" and at most {high:g}"
    return Rule(words, lambda v: _is_number(v) and low <= v <= high and not (above and v == low))


def one_of(*choices: str) -> Rule:
    return Rule(", ".join(choices), lambda v: v in choices)


def matching(words: str, pattern: str) -> Rule:
    return Rule(words, lambda v: bool(re.fullmatch(pattern, str(v))))


def several(rule: Rule, length: int | None = None) -> Rule:
    count = f"{length} values" if length else "values"
    return Rule(
        f"a list of {count}, each {rule.allowed}",
        lambda v: isinstance(v, list) and (length is None or len(v) == length) and all(map(rule.accepts, v)),
    )


def optional(rule: Rule) -> Rule:
    return Rule(f"{rule.allowed}, or null", lambda v: v is None or rule.accepts(v))


POSITIVE = number(0, above=True)
TEXT = Rule("a text", lambda v: isinstance(v, str) and v != "")
SWITCH = Rule("true or false", lambda v: isinstance(v, bool))
FRACTION = number(0, 1)
