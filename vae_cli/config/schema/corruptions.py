"""Keys of the group `corruption`."""

from typing import Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Fraction, Role
from vae_cli.config.schema.part import Part


class CorruptionConfig(Part):
    group = "corruption"
    role = Role(member=True)


class CleanConfig(CorruptionConfig):
    target: Literal["vae_cli.data.corruption.Clean"] = Field(alias="_target_")


class GaussianNoiseConfig(CorruptionConfig):
    target: Literal["vae_cli.data.corruption.GaussianNoise"] = Field(alias="_target_")
    std: Annotated[float, Field(ge=1e-6, le=10, allow_inf_nan=False)]  # at 10 no image is left


class MaskingConfig(CorruptionConfig):
    target: Literal["vae_cli.data.corruption.Masking"] = Field(alias="_target_")
    fraction: Fraction


class SaltAndPepperConfig(CorruptionConfig):
    target: Literal["vae_cli.data.corruption.SaltAndPepper"] = Field(alias="_target_")
    fraction: Fraction
