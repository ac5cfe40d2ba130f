"""The types of values that keys take, and the role of a key beside its type.

Every number is bounded on both sides, beyond every sensible use: a slip of the finger, and what 64 bits, float32 or a
library cannot take, is refused here in one sentence. Whether a run fits into the memory of this machine is another
question: see `vae_cli.engine.memory`.
"""

from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field


class Role(NamedTuple):
    """What a key means to everything but the part that it configures."""

    resumable: bool = False  # may change when a run is resumed
    member: bool = False  # may differ between the members of one packed model
    technical: bool = False  # does not tell runs apart: not shown in comparisons
    argument: bool = True  # an argument of the part's constructor
    size: bool = False  # the memory that a run needs grows with it


class Words(NamedTuple):
    """What is allowed, for error messages, where the type alone does not say it."""

    allowed: str


def _zero_or_at_least_two(value: int) -> int:
    if value == 1:
        raise ValueError("1 is not allowed")
    return value


def _is_folder_name(value: str) -> str:
    """A file system takes 255 bytes for each name of a path."""
    if ".." in value or any(len(name.encode()) > 255 for name in value.split("/")):
        raise ValueError("no folder can have this name")
    return value


Count = Annotated[int, Field(ge=1, le=10**9)]  # of images, steps, trials
CountOrZero = Annotated[int, Field(ge=0, le=10**9)]
Epochs = Annotated[int, Field(ge=1, le=10**6)]
Samples = Annotated[int, Field(ge=1, le=10**6)]  # of one estimate
SamplesOrZero = Annotated[int, Field(ge=0, le=10**6)]
ZeroOrTwoAndMore = Annotated[int, Field(ge=0, le=10**6), AfterValidator(_zero_or_at_least_two), Words("0 or a whole number from 2 to 1_000_000")]  # fmt: skip
Width = Annotated[int, Field(ge=1, le=10**6)]  # of a code, or of a layer of a network
Side = Annotated[int, Field(ge=1, le=10**4)]  # of an image, in pixels
# threads or processes at once; OpenMP aborts where it gets no more
Workers = Annotated[int, Field(ge=1, le=1024)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
# float32, in which steps are computed, ends at 1e-38 and 3e38
Positive = Annotated[float, Field(ge=1e-30, le=1e30, allow_inf_nan=False)]
# float32 draws noise in steps of 6e-8
Temperature = Annotated[float, Field(ge=1e-4, le=1e4, allow_inf_nan=False)]
# beside roots of squares, which vanish below it
Epsilon = Annotated[float, Field(ge=1e-20, le=1e3, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]  # of a term of the loss
Rate = Annotated[float, Field(ge=0, le=1e3, allow_inf_nan=False)]  # of a decay, per step
# of a running mean; at 1 it never changes
MeanDecay = Annotated[float, Field(ge=0, le=0.9999999, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PositiveFraction = Annotated[float, Field(ge=1e-30, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=4096)]  # Linux takes no longer path
FolderName = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_is_folder_name), Words("a folder's name without '..', of at most 255 bytes")]  # fmt: skip
Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$"), Words("auto, cpu, cuda or cuda:N")]
Range = Annotated[list[Side], Field(min_length=2, max_length=2)]
Plain = dict[str, Any]  # a configuration as YAML has it
