"""The types of values that keys take, and the role of a key beside its type."""

from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field


class Role(NamedTuple):
    """What a key means to everything but the part that it configures."""

    resumable: bool = False  # may change when a run is resumed
    member: bool = False  # may differ between the members of one packed model
    technical: bool = False  # does not tell runs apart: not shown in comparisons
    argument: bool = True  # an argument of the part's constructor


class Words(NamedTuple):
    """What is allowed, for error messages, where the type alone does not say it."""

    allowed: str


def _zero_or_at_least_two(value: int) -> int:
    if value == 1:
        raise ValueError("1 is not allowed")
    return value


def _without_parent_folders(value: str) -> str:
    if ".." in value:
        raise ValueError("'..' is not allowed")
    return value


Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
ZeroOrTwoAndMore = Annotated[int, Field(ge=0), AfterValidator(_zero_or_at_least_two), Words("0 or a whole number of at least 2")]  # fmt: skip
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PositiveFraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
FolderName = Annotated[str, Field(min_length=1), AfterValidator(_without_parent_folders), Words("a folder's name without '..'")]  # fmt: skip
Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$"), Words("auto, cpu, cuda or cuda:N")]
Range = Annotated[list[Count], Field(min_length=2, max_length=2)]
Plain = dict[str, Any]  # a configuration as YAML has it
