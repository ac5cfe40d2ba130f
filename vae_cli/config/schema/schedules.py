"""Keys of the group `schedule`, the learning rate's."""

from typing import Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Count, CountOrZero, Fraction, PositiveFraction, Rate, Role
from vae_cli.config.schema.part import Part


class ScheduleConfig(Part):
    group = "schedule"
    role = Role(member=True)

    warmup_steps: CountOrZero


class ConstantConfig(ScheduleConfig):
    target: Literal["vae_cli.engine.learning_rate.Constant"] = Field(alias="_target_")


class CosineConfig(ScheduleConfig):
    target: Literal["vae_cli.engine.learning_rate.Cosine"] = Field(alias="_target_")
    minimum: Fraction


class StepConfig(ScheduleConfig):
    target: Literal["vae_cli.engine.learning_rate.Step"] = Field(alias="_target_")
    every_steps: Count
    factor: PositiveFraction


class StagesConfig(ScheduleConfig):
    target: Literal["vae_cli.engine.learning_rate.Stages"] = Field(alias="_target_")
    first_steps: Count
    growth: Annotated[int, Field(ge=2, le=1000)]
    factor: PositiveFraction


class ExponentialConfig(ScheduleConfig):
    target: Literal["vae_cli.engine.learning_rate.Exponential"] = Field(alias="_target_")
    rate: Rate


class InverseConfig(ScheduleConfig):
    target: Literal["vae_cli.engine.learning_rate.Inverse"] = Field(alias="_target_")
    rate: Rate
