"""Keys of the group `estimator`: those that serve bits alone."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.estimators import EstimatorConfig, RelaxationConfig
from vae_cli.config.schema.fields import Positive, Role, Temperature, Width

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

OfAMember = Role(member=True)


class ConcreteConfig(RelaxationConfig):
    needs = "bits"

    target: Literal["vae_cli.objectives.estimators.relaxation.Concrete"] = Field(alias="_target_")

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        yield from super().contradictions(run)
        if getattr(run.objective, "kl", "analytic") != "analytic":
            yield "estimator=concrete relaxes codes, of which objective.kl=sampled has no density; it needs objective.kl=analytic"


class StraightThroughConfig(EstimatorConfig):
    needs = "bits"
    objectives = ("elbo",)

    target: Literal["vae_cli.objectives.estimators.straight_through.StraightThrough"] = Field(
        alias="_target_"
    )


class StraightThroughGumbelConfig(RelaxationConfig):
    needs = "bits"

    target: Literal["vae_cli.objectives.estimators.straight_through.StraightThroughGumbel"] = Field(
        alias="_target_"
    )


class GumbelRaoConfig(RelaxationConfig):
    needs = "bits"

    target: Literal["vae_cli.objectives.estimators.straight_through.GumbelRao"] = Field(alias="_target_")
    draws: Annotated[int, Field(ge=1, le=10_000), Role(size=True)]


class PairsConfig(EstimatorConfig):
    """What the estimators with antithetic pairs have in common."""

    objectives = ("elbo", "iwae")
    least = 2

    def multiple(self, run: "RunConfig") -> int:
        """A pair of codes is two samples; in a group of a bound, the twin replaces its partner."""
        return 2 * getattr(run.objective, "groups", 1)


class ARMConfig(PairsConfig):
    needs = "bits"

    target: Literal["vae_cli.objectives.estimators.antithetic.ARM"] = Field(alias="_target_")


class DisARMConfig(PairsConfig):
    needs = "bits"

    target: Literal["vae_cli.objectives.estimators.antithetic.DisARM"] = Field(alias="_target_")


class ARMSConfig(EstimatorConfig):
    needs = "bits"
    objectives = ("elbo",)
    least = 2

    target: Literal["vae_cli.objectives.estimators.antithetic.ARMS"] = Field(alias="_target_")


class LocalExpectationConfig(EstimatorConfig):
    needs = "bits"
    objectives = ("elbo",)
    takes = ("units",)
    packs_code_sizes = False

    target: Literal["vae_cli.objectives.estimators.exact.LocalExpectation"] = Field(alias="_target_")

    def multiple(self, run: "RunConfig") -> int:
        """A sample and its neighbours, with one unit flipped each."""
        return run.latent.code_size + 1


class MuPropConfig(EstimatorConfig):
    needs = "bits"
    objectives = ("elbo",)
    least = 2  # one of which is the mean

    target: Literal["vae_cli.objectives.estimators.taylor.MuProp"] = Field(alias="_target_")


class LearnedConfig(EstimatorConfig):
    """What the estimators with learned control variates have in common."""

    needs = "bits"
    objectives = ("elbo",)
    least = 2
    packs_code_sizes = False

    control_lr: Annotated[Positive, OfAMember]


class DoubleCVConfig(LearnedConfig):
    target: Literal["vae_cli.objectives.estimators.taylor.DoubleCV"] = Field(alias="_target_")
    control_alpha: Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False), OfAMember]


class RODEOConfig(LearnedConfig):
    target: Literal["vae_cli.objectives.estimators.taylor.RODEO"] = Field(alias="_target_")
    control_hidden: Width


class RelaxedControlConfig(LearnedConfig):
    """What REBAR and RELAX have in common. torch.compile loses a part of the second derivatives of the decoder."""

    compiles = False

    coupled: bool
    temperature: Annotated[Temperature, OfAMember]
    scale: Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False), OfAMember]

    def multiple(self, run: "RunConfig") -> int:
        """A hard code and one relaxed one, or two."""
        return 2 if self.coupled else 3


class RebarConfig(RelaxedControlConfig):
    target: Literal["vae_cli.objectives.estimators.control_variates.Rebar"] = Field(alias="_target_")


class RelaxConfig(RelaxedControlConfig):
    takes = ("pixels", "units")

    target: Literal["vae_cli.objectives.estimators.control_variates.Relax"] = Field(alias="_target_")
    control_hidden: Width
