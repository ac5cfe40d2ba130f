"""Keys of the group `latent`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Role, Temperature, Width
from vae_cli.config.schema.part import Part

OfTheEstimator = Role(member=True, argument=False)  # which refers to it


class LatentConfig(Part):
    """`offers` names what its posterior can do, for estimators that need it; a user's own latent is trusted to do all."""

    group = "latent"
    offers: ClassVar[frozenset[str]] = frozenset({"log_prob", "reparameterization", "bits", "categories"})

    code_size: Annotated[Width, Role(member=True, size=True)]


class GaussianLatentConfig(LatentConfig):
    offers = frozenset({"reparameterization", "log_prob"})

    target: Literal["vae_cli.models.latents.gaussian.GaussianLatent"] = Field(alias="_target_")


class BernoulliLatentConfig(LatentConfig):
    offers = frozenset({"bits", "log_prob"})

    target: Literal["vae_cli.models.latents.bernoulli.BernoulliLatent"] = Field(alias="_target_")
    temperature: Annotated[Temperature, OfTheEstimator]


class CategoricalLatentConfig(LatentConfig):
    offers = frozenset({"categories", "log_prob"})

    target: Literal["vae_cli.models.latents.categorical.CategoricalLatent"] = Field(alias="_target_")
    categories: Annotated[int, Field(ge=2, le=10**6), Role(size=True)]
    temperature: Annotated[Temperature, OfTheEstimator]


class DeterministicLatentConfig(LatentConfig):
    offers = frozenset({"reparameterization"})

    target: Literal["vae_cli.models.latents.deterministic.DeterministicLatent"] = Field(alias="_target_")
