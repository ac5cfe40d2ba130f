"""Keys of the group `corruption`."""

from typing import Literal

from pydantic import Field

from vae_cli.config.schema.fields import Fraction, Positive, Role
from vae_cli.config.schema.part import Part


class CorruptionConfig(Part):
    group = "corruption"
    role = Role(member=True)


class CleanConfig(CorruptionConfig):
    target: Literal["vae_cli.data.corruption.Clean"] = Field(alias="_target_")


class GaussianNoiseConfig(CorruptionConfig):
    target: Literal["vae_cli.data.corruption.GaussianNoise"] = Field(alias="_target_")
    std: Positive


class MaskingConfig(CorruptionConfig):
    target: Literal["vae_cli.data.corruption.Masking"] = Field(alias="_target_")
    fraction: Fraction


class SaltAndPepperConfig(CorruptionConfig):
    target: Literal["vae_cli.data.corruption.SaltAndPepper"] = Field(alias="_target_")
    fraction: Fraction
