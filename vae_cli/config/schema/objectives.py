"""Keys of the group `objective`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Count, CountOrZero, Fraction, Role, Samples, Weight
from vae_cli.config.schema.part import Part

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

OfAMember = Role(member=True)


class ObjectiveConfig(Part):
    group = "objective"
    kind: ClassVar[str | None] = (
        None  # for `EstimatorConfig.objectives`; a user's own objective takes every estimator
    )

    samples: Annotated[Samples, Role(size=True)]

    def packs_code_sizes(self) -> bool:
        """Whether members of several code sizes may share a packed model: the objective adds nothing for padded units."""
        return True

    def needs_density(self) -> bool:
        """Whether log q(z) of single codes is in it."""
        return False

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if self.needs_density() and "log_prob" not in run.latent.offers:
            yield f"{self.in_words()} needs log q(z|x), which latent={run.latent.name} does not have"

    def in_words(self) -> str:
        return f"objective={self.name}"


class ELBOConfig(ObjectiveConfig):
    kind = "elbo"

    target: Literal["vae_cli.objectives.elbo.ELBO"] = Field(alias="_target_")
    beta: Annotated[Weight, OfAMember]
    kl: Literal["analytic", "sampled"]
    warmup_steps: Annotated[CountOrZero, OfAMember]
    initial_beta: Annotated[Weight, OfAMember]
    cycle_steps: Annotated[CountOrZero, OfAMember]
    free_bits: Weight

    def packs_code_sizes(self) -> bool:
        return not self.free_bits

    def needs_density(self) -> bool:
        return self.kl == "sampled"

    def in_words(self) -> str:
        return f"objective.kl={self.kl}"

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        yield from super().contradictions(run)
        if self.free_bits and self.kl == "sampled":
            yield f"objective.free_bits={self.free_bits} needs the rate of each unit: objective.kl=analytic"
        if 0 < self.cycle_steps <= self.warmup_steps:
            yield (
                f"objective.cycle_steps={self.cycle_steps} ends before beta is reached; allowed is more than "
                f"objective.warmup_steps={self.warmup_steps}, or 0"
            )


class ImportanceWeightedConfig(ObjectiveConfig):
    kind = "iwae"

    target: Literal["vae_cli.objectives.importance.ImportanceWeighted"] = Field(alias="_target_")
    groups: Count
    mix: Fraction

    def needs_density(self) -> bool:
        return True

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        yield from super().contradictions(run)
        if self.samples % self.groups:
            yield f"objective.samples={self.samples} do not make objective.groups={self.groups} of equal size"


class ReweightedWakeSleepConfig(ObjectiveConfig):
    kind = "rws"

    target: Literal["vae_cli.objectives.importance.ReweightedWakeSleep"] = Field(alias="_target_")

    def needs_density(self) -> bool:
        return True
