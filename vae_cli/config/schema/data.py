"""Keys of the group `data`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Count, CountOrZero, Fraction, Range, Role, Seed, Text
from vae_cli.config.schema.part import Part

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

OfEverySet = Role(argument=False)  # `vae_cli.build` applies it after the data set has been read
Place = Role(resumable=True, technical=True)


class DataConfig(Part):
    group = "data"

    root: Annotated[Text, Place._replace(argument=False)]
    limit: Annotated[Count | None, OfEverySet]
    exclude_classes: Annotated[list[CountOrZero], OfEverySet]
    placement: Annotated[Literal["auto", "device", "host"], OfEverySet]


class RectanglesConfig(DataConfig):
    target: Literal["vae_cli.data.rectangles.rectangles"] = Field(alias="_target_")
    height: Count
    width: Count
    rectangle_height: Range
    rectangle_width: Range
    train_size: Count
    validation_size: CountOrZero
    test_size: Count
    seed: Seed

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        sides = (("height", self.height, self.rectangle_height), ("width", self.width, self.rectangle_width))
        for side, pixels, (low, high) in sides:
            if not low <= high <= pixels:
                yield (
                    f"data.rectangle_{side}=[{low},{high}] is not allowed; allowed is [LOW,HIGH] with "
                    f"LOW ≤ HIGH ≤ data.{side}={pixels}"
                )


class MNISTConfig(DataConfig):
    target: Literal["vae_cli.data.mnist.mnist"] = Field(alias="_target_")
    root: Annotated[Text, Place]
    dataset: Literal["MNIST", "FashionMNIST"]
    binarization: Literal["none", "threshold", "dynamic", "fixed"]
    validation_size: CountOrZero

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if self.binarization == "fixed" and self.dataset != "MNIST":
            yield "data.binarization=fixed exists for MNIST alone; allowed here are none, threshold, dynamic"


class ArraysConfig(DataConfig):
    target: Literal["vae_cli.data.arrays.arrays"] = Field(alias="_target_")
    path: Text
    train: Text
    validation: Text
    test: Text
    fractions: Annotated[list[Fraction], Field(min_length=3, max_length=3)]
    seed: Seed

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if sum(self.fractions) > 1 + 1e-9:
            yield f"data.fractions={self.fractions} sum to more than 1"
