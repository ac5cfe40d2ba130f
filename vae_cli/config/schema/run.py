"""A whole run, and the keys of one call of vae-train."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

import vae_cli.config.schema.bit_estimators  # noqa: F401  # options of EstimatorConfig
from vae_cli.config.schema.corruptions import CorruptionConfig
from vae_cli.config.schema.data import DataConfig
from vae_cli.config.schema.estimators import EstimatorConfig
from vae_cli.config.schema.fields import (
    Count,
    Device,
    Epochs,
    FolderName,
    Positive,
    Role,
    SamplesOrZero,
    Seed,
    Text,
    Words,
    Workers,
    ZeroOrTwoAndMore,
)
from vae_cli.config.schema.latents import LatentConfig
from vae_cli.config.schema.likelihoods import LikelihoodConfig
from vae_cli.config.schema.networks import NetworkConfig
from vae_cli.config.schema.objectives import ObjectiveConfig
from vae_cli.config.schema.optimizers import OptimizerConfig
from vae_cli.config.schema.part import Checked, Part, sizes
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
    epochs: Annotated[Epochs, Role(resumable=True, member=True)]
    batch_size: Annotated[Count, Role(size=True)]
    device: Device
    precision: Literal["float32", "tf32", "float64"]
    gradient_clip_norm: Annotated[Positive | None, OfAMember]
    log_every: Annotated[Count, OfAMember]
    validate_every: Annotated[Count, OfAMember]
    patience: Annotated[Count | None, OfAMember]
    gradient_draws: Annotated[ZeroOrTwoAndMore, OfAMember]
    nll_samples: Annotated[SamplesOrZero, OfAMember]
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

    def model_sizes(self) -> dict[str, Any]:
        """The keys that the memory of a step grows with, and their values."""
        found = sizes(self)
        for part in self._of_the_model():
            found |= sizes(part, f"{part.group}.")
        return found

    def is_ours(self) -> bool:
        """Whether no part of the model and of its loss is a user's own."""
        return all(part.is_ours for part in self._of_the_model())

    def _of_the_model(self) -> tuple[Part, ...]:
        return self.latent, self.estimator, self.likelihood, self.network, self.objective

    def with_sizes(self, values: Mapping[str, Any]) -> "RunConfig":
        """The same run with other values of `model_sizes`, unchecked."""
        changed: dict[str, Any] = {}
        for key, value in values.items():
            group, _, name = key.rpartition(".")
            part = changed.get(group) or getattr(self, group, None)
            changed |= {group: part.model_copy(update={name: value})} if part else {name: value}
        return self.model_copy(update=changed)

    def packs_code_sizes(self) -> bool:
        """Whether members of several code sizes may share a packed model."""
        return self.objective.packs_code_sizes() and self.estimator.packs_code_sizes

    def few_samples(self) -> tuple[int, int]:
        """Two small numbers of samples that the estimator and the objective allow."""
        step = math.lcm(self.estimator.multiple(self), getattr(self.objective, "groups", 1))
        least = max(self.estimator.least, 2)
        few = -(-least // step) * step
        return few, few + step

    def without_validation(self) -> Iterator[str]:
        """What is wrong if there are no validation images, one sentence each."""
        for key in ("patience", "gradient_draws"):
            if value := getattr(self, key):
                yield (
                    f"{key}={value} needs validation images, and there are none: see {self.data.validation_key}"
                )

    def _contradictions(self) -> Iterator[str]:
        for part in self.parts():
            yield from part.contradictions(self)
        if self.data.validation_images() == 0:
            yield from self.without_validation()

    @model_validator(mode="after")
    def _no_contradictions(self) -> "RunConfig":
        for sentence in self._contradictions():
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
Monitored = Literal["elbo", "bound", "rate", "distortion"]


class CallConfig(Checked):
    """Keys of one call of vae-train: they are neither part of a run nor of a member's name."""

    resume: Text | None = None
    threads: Annotated[Literal["auto"] | Workers, Words("auto, or a whole number from 1 to 1024")]
    retry_failed: bool
    fail_fast: bool
    jobs_per_gpu: Annotated[int, Field(ge=1, le=100)]
    returns: Annotated[
        Monitored | Annotated[list[Monitored], Field(min_length=1, max_length=3)],
        Words("one or a list of elbo, bound, rate, distortion"),
    ]
    external_targets: bool
