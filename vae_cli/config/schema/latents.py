"""Keys of the group `latent`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Positive, Role, Temperature, Width
from vae_cli.config.schema.part import Part

OfTheEstimator = Role(member=True, argument=False)  # which refers to it


class LatentConfig(Part):
    """`offers` names what its posterior can do, for estimators that need it; a user's own latent is trusted to do all."""

    group = "latent"
    offers: ClassVar[frozenset[str]] = frozenset(
        {"log_prob", "reparameterization", "density of a path", "bits", "categories", "codes"}
    )

    code_size: Annotated[Width, Role(member=True, size=True)]

    def values_per_unit(self) -> int | None:
        """Of a discrete code; None for the others, or where it is not known."""
        return None


class GaussianLatentConfig(LatentConfig):
    offers = frozenset({"reparameterization", "log_prob", "density of a path"})

    target: Literal["vae_cli.models.latents.gaussian.GaussianLatent"] = Field(alias="_target_")


class BernoulliLatentConfig(LatentConfig):
    offers = frozenset({"bits", "log_prob", "codes"})

    target: Literal["vae_cli.models.latents.bernoulli.BernoulliLatent"] = Field(alias="_target_")
    temperature: Annotated[Temperature, OfTheEstimator]
    prior: Literal["uniform", "learned"]
    prior_lr: Annotated[Positive, Role(member=True)]
    signed: bool

    def values_per_unit(self) -> int:
        return 2


class CategoricalLatentConfig(LatentConfig):
    offers = frozenset({"categories", "log_prob", "codes"})

    target: Literal["vae_cli.models.latents.categorical.CategoricalLatent"] = Field(alias="_target_")
    categories: Annotated[int, Field(ge=2, le=10**6), Role(size=True)]
    temperature: Annotated[Temperature, OfTheEstimator]

    def values_per_unit(self) -> int:
        return self.categories


class DeterministicLatentConfig(LatentConfig):
    offers = frozenset({"reparameterization"})

    target: Literal["vae_cli.models.latents.deterministic.DeterministicLatent"] = Field(alias="_target_")
