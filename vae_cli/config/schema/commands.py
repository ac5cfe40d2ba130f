"""The keys of vae-eval and vae-compare."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from vae_cli.config.schema.fields import Count, CountOrZero, Device, Samples, Seed, Text, Words
from vae_cli.config.schema.part import Checked

Auto = Annotated[Literal["auto"] | bool, Words("auto, true or false")]
Picture = Literal[
    "curves", "reconstructions", "samples", "class_samples", "scatter", "plane", "all_codes", "interpolations",
    "traversals", "rates", "bits", "likelihood", "bounds", "extremes", "anomaly",
]  # fmt: skip
PICTURES: tuple[str, ...] = get_args(Picture)


class EvalDataConfig(Checked):
    root: Text | None
    path: Text | None


class EvalConfig(Checked):
    run: Text
    checkpoint: Literal["best", "last"]
    device: Device
    seed: Seed
    data: EvalDataConfig
    test_images: Count | None
    nll_samples: Samples
    exact: Auto
    probe: Auto
    probe_images: Count
    classifier_epochs: Annotated[int, Field(ge=0, le=10**4)]
    anomaly: Text | None
    pictures: Literal["auto"] | Annotated[list[Picture], Field(max_length=100)]
    interpolate: Annotated[
        list[Annotated[list[CountOrZero], Field(min_length=2, max_length=2)]], Field(max_length=100)
    ]
    samples: Annotated[int, Field(ge=0, le=10**6)]  # in one file, from memory
    external_targets: bool


class CompareConfig(Checked):
    folders: Annotated[
        list[Text], Field(min_length=1, max_length=10**5), Words("one folder or more: vae-compare FOLDER")
    ]
    x: Text
    y: Text | None
    value: Text
    best: Literal["auto", "max", "min"]
    out: Text | None
