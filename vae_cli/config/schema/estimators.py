"""Keys of the group `estimator`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Fraction, Rate, Role, Temperature
from vae_cli.config.schema.latents import LatentConfig
from vae_cli.config.schema.part import Part

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig


class EstimatorConfig(Part):
    """`needs` names what it asks of a posterior (`LatentConfig.offers`); a user's own estimator asks nothing."""

    group = "estimator"
    needs: ClassVar[str | None] = None

    @classmethod
    def serves(cls, latent: type[LatentConfig]) -> bool:
        return cls.needs is None or cls.needs in latent.offers


class PathwiseConfig(EstimatorConfig):
    needs = "reparameterization"

    target: Literal["vae_cli.objectives.estimators.pathwise.Pathwise"] = Field(alias="_target_")


class RelaxationConfig(EstimatorConfig):
    """What estimators with a temperature have in common."""

    temperature: Annotated[Temperature, Role(member=True)]
    anneal_rate: Annotated[Rate, Role(member=True)]
    minimum_temperature: Annotated[Temperature, Role(member=True)]

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if self.anneal_rate and self.minimum_temperature > self.temperature:
            yield (
                f"estimator.minimum_temperature={self.minimum_temperature} is above "
                f"latent.temperature={self.temperature}, from which it should fall"
            )


class ConcreteConfig(RelaxationConfig):
    needs = "bits"

    target: Literal["vae_cli.objectives.estimators.relaxation.Concrete"] = Field(alias="_target_")


class StraightThroughGumbelSoftmaxConfig(RelaxationConfig):
    needs = "categories"

    target: Literal["vae_cli.objectives.estimators.relaxation.StraightThroughGumbelSoftmax"] = Field(
        alias="_target_"
    )


class StraightThroughConfig(EstimatorConfig):
    needs = "bits"

    target: Literal["vae_cli.objectives.estimators.straight_through.StraightThrough"] = Field(
        alias="_target_"
    )


class ReinforceConfig(EstimatorConfig):
    needs = "log_prob"

    target: Literal["vae_cli.objectives.estimators.score_function.Reinforce"] = Field(alias="_target_")
    baseline: Literal["moving_average", "leave_one_out"]
    decay: Fraction

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if self.baseline == "leave_one_out" and run.objective.samples < 2:
            yield "estimator.baseline=leave_one_out needs objective.samples of at least 2, it is 1"
