"""A whole run, and the keys of one call of vae-train."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from vae_cli.config.schema.corruptions import CorruptionConfig
from vae_cli.config.schema.data import DataConfig
from vae_cli.config.schema.estimators import EstimatorConfig
from vae_cli.config.schema.fields import (
    Count,
    CountOrZero,
    Device,
    FolderName,
    Positive,
    Role,
    Seed,
    Words,
    ZeroOrTwoAndMore,
)
from vae_cli.config.schema.latents import LatentConfig
from vae_cli.config.schema.likelihoods import LikelihoodConfig
from vae_cli.config.schema.networks import NetworkConfig
from vae_cli.config.schema.objectives import ObjectiveConfig
from vae_cli.config.schema.optimizers import OptimizerConfig
from vae_cli.config.schema.part import Checked, Part
from vae_cli.config.schema.runtimes import RuntimeConfig
from vae_cli.config.schema.schedules import ScheduleConfig

OfAMember = Role(member=True)
Technical = Role(member=True, technical=True)


class CheckpointConfig(Checked):
    minutes: Annotated[Positive, Technical]
    epochs: Annotated[Count | None, Technical]


class RunConfig(Checked):
    """Everything that decides what a run trains; the keys of one call stand in `CallConfig`."""

    name: Annotated[FolderName, OfAMember]
    seed: Annotated[Seed, OfAMember]
    epochs: Annotated[Count, Role(resumable=True, member=True)]
    batch_size: Count
    device: Device
    precision: Literal["float32", "tf32", "float64"]
    gradient_clip_norm: Annotated[Positive | None, OfAMember]
    log_every: Annotated[Count, OfAMember]
    validate_every: Annotated[Count, OfAMember]
    patience: Annotated[Count | None, OfAMember]
    gradient_draws: Annotated[ZeroOrTwoAndMore, OfAMember]
    nll_samples: Annotated[CountOrZero, OfAMember]
    checkpoint: CheckpointConfig
    data: Annotated[DataConfig, BeforeValidator(DataConfig.checked)]
    latent: Annotated[LatentConfig, BeforeValidator(LatentConfig.checked)]
    estimator: Annotated[EstimatorConfig, BeforeValidator(EstimatorConfig.checked)]
    likelihood: Annotated[LikelihoodConfig, BeforeValidator(LikelihoodConfig.checked)]
    network: Annotated[NetworkConfig, BeforeValidator(NetworkConfig.checked)]
    objective: Annotated[ObjectiveConfig, BeforeValidator(ObjectiveConfig.checked)]
    optimizer: Annotated[OptimizerConfig, BeforeValidator(OptimizerConfig.checked)]
    schedule: Annotated[ScheduleConfig, BeforeValidator(ScheduleConfig.checked)]
    corruption: Annotated[CorruptionConfig, BeforeValidator(CorruptionConfig.checked)]
    runtime: Annotated[RuntimeConfig, BeforeValidator(RuntimeConfig.checked)]

    def parts(self) -> Iterator[Part]:
        for key in type(self).model_fields:
            if isinstance(part := getattr(self, key), Part):
                yield part

    @model_validator(mode="after")
    def _no_contradictions(self) -> "RunConfig":
        for part in self.parts():
            for sentence in part.contradictions(self):
                raise PydanticCustomError("contradiction", "{sentence}", {"sentence": sentence})
        return self


GROUP_CONFIGS: dict[str, type[Part]] = {
    config.group: config
    for config in (
        DataConfig, LatentConfig, EstimatorConfig, LikelihoodConfig, NetworkConfig,
        ObjectiveConfig, OptimizerConfig, ScheduleConfig, CorruptionConfig, RuntimeConfig,
    )
}  # fmt: skip
GROUPS = tuple(GROUP_CONFIGS)
Monitored = Literal["elbo", "rate", "distortion"]


class CallConfig(Checked):
    """Keys of one call of vae-train: they are neither part of a run nor of a member's name."""

    resume: str | None = None
    threads: Annotated[Literal["auto"] | Count, Words("auto, or a whole number of at least 1")]
    retry_failed: bool
    fail_fast: bool
    jobs_per_gpu: Count
    returns: Annotated[
        Monitored | Annotated[list[Monitored], Field(min_length=1)],
        Words("one or a list of elbo, rate, distortion"),
    ]
    external_targets: bool
