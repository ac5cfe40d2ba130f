"""Keys of the group `data`."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Count, CountOrZero, Fraction, Range, Role, Seed, Side, Text
from vae_cli.config.schema.part import Part

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

OfEverySet = Role(argument=False)  # `vae_cli.build` applies it after the data set has been read
Size = Role(size=True)
Place = Role(resumable=True, technical=True)


class DataConfig(Part):
    """Its methods say what its keys alone tell of the images; None where only the files do."""

    group = "data"
    validation_key: ClassVar[str] = (
        "data.validation_size"  # what decides how many validation images there are
    )

    root: Annotated[Text, Place._replace(argument=False)]
    limit: Annotated[Count | None, OfEverySet]
    exclude_classes: Annotated[list[CountOrZero], Field(max_length=1000), OfEverySet]
    placement: Annotated[Literal["auto", "device", "host"], OfEverySet]

    def image_bytes(self) -> int:
        """Of all images; 0 where only the files tell."""
        return 0

    def sides(self) -> tuple[int, int] | None:
        """The height and width of an image."""
        return None

    def validation_images(self) -> int | None:
        return None

    def classes(self) -> Collection[int] | None:
        """The labels; none where images have no labels."""
        return None

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        excluded, classes = self.exclude_classes, self.classes()
        if not excluded or classes is None:
            return
        if not classes:
            yield f"data.exclude_classes={excluded} needs labelled data, and data={self.name} has no labels"
        elif unknown := [label for label in excluded if label not in classes]:
            yield f"data.exclude_classes={excluded}: there is no class {unknown[0]}; the data has {list(classes)}"
        elif set(classes) <= set(excluded):
            yield f"data.exclude_classes={excluded} leaves no images"


class RectanglesConfig(DataConfig):
    target: Literal["vae_cli.data.rectangles.rectangles"] = Field(alias="_target_")
    height: Annotated[Side, Size]
    width: Annotated[Side, Size]
    rectangle_height: Range
    rectangle_width: Range
    train_size: Annotated[Count, Size]
    validation_size: Annotated[CountOrZero, Size]
    test_size: Annotated[Count, Size]
    seed: Seed

    def image_bytes(self) -> int:
        return self.height * self.width * (self.train_size + self.validation_size + self.test_size)

    def sides(self) -> tuple[int, int]:
        return self.height, self.width

    def validation_images(self) -> int:
        return self.validation_size

    def classes(self) -> Collection[int]:
        return ()

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        yield from super().contradictions(run)
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
    validation_size: Annotated[int, Field(ge=0, le=59_999)]  # of 60,000, of which one at least is trained on

    def sides(self) -> tuple[int, int]:
        return 28, 28

    def validation_images(self) -> int:
        return 10_000 if self.binarization == "fixed" else self.validation_size

    def classes(self) -> Collection[int]:
        return () if self.binarization == "fixed" else range(10)

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        yield from super().contradictions(run)
        if self.binarization == "fixed" and self.dataset != "MNIST":
            yield "data.binarization=fixed exists for MNIST alone; allowed here are none, threshold, dynamic"


class OmniglotConfig(DataConfig):
    target: Literal["vae_cli.data.omniglot.omniglot"] = Field(alias="_target_")
    root: Annotated[Text, Place]
    binarization: Literal["none", "threshold", "dynamic"]
    validation_size: Annotated[int, Field(ge=0, le=24_344)]  # of 24,345, of which one at least is trained on

    def sides(self) -> tuple[int, int]:
        return 28, 28

    def validation_images(self) -> int:
        return self.validation_size

    def classes(self) -> Collection[int]:
        return range(50)


class ArraysConfig(DataConfig):
    validation_key = "data.validation or data.fractions"

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
