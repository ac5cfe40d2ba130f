"""Keys of the group `estimator`: what all have in common, and those that serve other latents than bits."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Fraction, Positive, Rate, Role, Temperature, Width
from vae_cli.config.schema.latents import LatentConfig
from vae_cli.config.schema.objectives import ObjectiveConfig
from vae_cli.config.schema.part import Part

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

MOST_CODES = 2**14  # of estimator=exact, which decodes all of them in each step
OfAMember = Role(member=True)


class EstimatorConfig(Part):
    """What an estimator needs, and what it serves; a user's own is trusted to serve all."""

    group = "estimator"
    needs: ClassVar[str | None] = None  # of a posterior (`LatentConfig.offers`)
    objectives: ClassVar[tuple[str, ...]] = ("elbo", "iwae", "rws")  # which bounds (`ObjectiveConfig.kind`)
    least: ClassVar[int] = 1  # samples
    takes: ClassVar[tuple[str, ...]] = ()  # what only the data and the latent know: pixels, units
    packs_code_sizes: ClassVar[bool] = True  # whether padded units change nothing
    compiles: ClassVar[bool] = True  # whether torch.compile gives the gradients of the eager step

    @classmethod
    def serves(cls, latent: type[LatentConfig], objective: type[ObjectiveConfig]) -> bool:
        suits = cls.needs is None or cls.needs in latent.offers
        return suits and (objective.kind is None or objective.kind in cls.objectives)

    def multiple(self, run: "RunConfig") -> int:
        """Of which numbers of samples are multiples."""
        return 1

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        samples, multiple = run.objective.samples, self.multiple(run)
        if samples < self.least or samples % multiple:
            allowed = f"a multiple of {multiple}" if multiple > 1 else f"at least {self.least}"
            yield f"objective.samples={samples} is not allowed; estimator={self.name} takes {allowed}"


class PathwiseConfig(EstimatorConfig):
    needs = "reparameterization"
    objectives = ("elbo", "iwae")

    target: Literal["vae_cli.objectives.estimators.pathwise.Pathwise"] = Field(alias="_target_")


class StickingTheLandingConfig(EstimatorConfig):
    needs = "density of a path"
    objectives = ("elbo", "iwae")

    target: Literal["vae_cli.objectives.estimators.pathwise.StickingTheLanding"] = Field(alias="_target_")

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        yield from super().contradictions(run)
        if getattr(run.objective, "kl", "sampled") != "sampled":
            yield "estimator=stl leaves out a part of log q, which objective.kl=analytic does not have; it needs objective.kl=sampled"


class DoublyReparameterizedConfig(EstimatorConfig):
    needs = "density of a path"
    objectives = ("iwae", "rws")

    target: Literal["vae_cli.objectives.estimators.pathwise.DoublyReparameterized"] = Field(alias="_target_")


class RelaxationConfig(EstimatorConfig):
    """What estimators with a temperature have in common."""

    objectives = ("elbo",)

    temperature: Annotated[Temperature, OfAMember]
    anneal_rate: Annotated[Rate, OfAMember]
    minimum_temperature: Annotated[Temperature, OfAMember]

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        yield from super().contradictions(run)
        if self.anneal_rate and self.minimum_temperature > self.temperature:
            yield (
                f"estimator.minimum_temperature={self.minimum_temperature} is above "
                f"latent.temperature={self.temperature}, from which it should fall"
            )


class StraightThroughGumbelSoftmaxConfig(RelaxationConfig):
    needs = "categories"

    target: Literal["vae_cli.objectives.estimators.relaxation.StraightThroughGumbelSoftmax"] = Field(
        alias="_target_"
    )


class ReinMaxConfig(EstimatorConfig):
    needs = "codes"
    objectives = ("elbo",)

    target: Literal["vae_cli.objectives.estimators.straight_through.ReinMax"] = Field(alias="_target_")
    temperature: Temperature


class ReinforceConfig(EstimatorConfig):
    needs = "log_prob"
    objectives = ("elbo", "iwae")

    target: Literal["vae_cli.objectives.estimators.score_function.Reinforce"] = Field(alias="_target_")
    baseline: Literal["moving_average", "leave_one_out"]
    decay: Fraction

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if self.baseline == "leave_one_out" and run.objective.samples < 2:
            yield "estimator.baseline=leave_one_out needs objective.samples of at least 2, it is 1"


class NVILConfig(EstimatorConfig):
    needs = "log_prob"
    objectives = ("elbo",)
    takes = ("pixels",)

    target: Literal["vae_cli.objectives.estimators.score_function.NVIL"] = Field(alias="_target_")
    decay: Fraction
    normalize: bool
    control_hidden: Width
    control_lr: Annotated[Positive, OfAMember]


class OVISConfig(EstimatorConfig):
    needs = "log_prob"
    objectives = ("iwae",)
    least = 2

    target: Literal["vae_cli.objectives.estimators.score_function.OVIS"] = Field(alias="_target_")
    gamma: Fraction

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        yield from super().contradictions(run)
        if getattr(run.objective, "groups", 1) > 1 or getattr(run.objective, "mix", 0):
            yield f"estimator={self.name} serves one bound of all samples: objective.groups=1 and objective.mix=0"


class WakePhaseConfig(EstimatorConfig):
    needs = "log_prob"
    objectives = ("rws",)
    least = 2

    target: Literal["vae_cli.objectives.estimators.score_function.WakePhase"] = Field(alias="_target_")


class ExactConfig(EstimatorConfig):
    needs = "codes"
    objectives = ("elbo",)
    packs_code_sizes = False

    target: Literal["vae_cli.objectives.estimators.exact.Exact"] = Field(alias="_target_")

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        values, units = run.latent.values_per_unit(), run.latent.code_size
        if values is not None and units * math.log2(values) > math.log2(MOST_CODES):
            yield (
                f"latent.code_size={units} makes {values}^{units} codes, and estimator=exact decodes all of them in each step; "
                f"allowed are at most {MOST_CODES:,}, such as 14 bits"
            )
        if run.objective.samples != 1:
            yield f"objective.samples={run.objective.samples} has no effect on estimator=exact, which takes no samples; leave it out"
