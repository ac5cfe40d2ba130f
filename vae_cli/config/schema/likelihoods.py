"""Keys of the group `likelihood`."""

from typing import Literal

from pydantic import Field

from vae_cli.config.schema.fields import Finite
from vae_cli.config.schema.part import Part


class LikelihoodConfig(Part):
    group = "likelihood"


class BernoulliLikelihoodConfig(LikelihoodConfig):
    target: Literal["vae_cli.models.likelihoods.BernoulliLikelihood"] = Field(alias="_target_")


class ContinuousBernoulliLikelihoodConfig(LikelihoodConfig):
    target: Literal["vae_cli.models.likelihoods.ContinuousBernoulliLikelihood"] = Field(alias="_target_")


class UnitGaussianLikelihoodConfig(LikelihoodConfig):
    target: Literal["vae_cli.models.likelihoods.UnitGaussianLikelihood"] = Field(alias="_target_")


class GaussianLikelihoodConfig(LikelihoodConfig):
    target: Literal["vae_cli.models.likelihoods.GaussianLikelihood"] = Field(alias="_target_")
    min_log_std: Finite | None
