"""Keys of the group `objective`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.fields import CountOrZero, Role, Samples, Weight
from vae_cli.config.schema.part import Part

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

OfAMember = Role(member=True)


class ObjectiveConfig(Part):
    group = "objective"

    samples: Annotated[Samples, Role(size=True)]

    def packs_code_sizes(self) -> bool:
        """Whether members of several code sizes may share a packed model: the objective adds nothing for padded units."""
        return True


class ELBOConfig(ObjectiveConfig):
    target: Literal["vae_cli.objectives.elbo.ELBO"] = Field(alias="_target_")
    beta: Annotated[Weight, OfAMember]
    warmup_steps: Annotated[CountOrZero, OfAMember]
    initial_beta: Annotated[Weight, OfAMember]
    cycle_steps: Annotated[CountOrZero, OfAMember]
    free_bits: Weight

    def packs_code_sizes(self) -> bool:
        return not self.free_bits

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if 0 < self.cycle_steps <= self.warmup_steps:
            yield (
                f"objective.cycle_steps={self.cycle_steps} ends before beta is reached; allowed is more than "
                f"objective.warmup_steps={self.warmup_steps}, or 0"
            )
