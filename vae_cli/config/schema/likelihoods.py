"""Keys of the group `likelihood`."""

from typing import Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.part import Part

# exp(20)² times the error of a pixel is about the largest gradient whose square float32 holds
LogStd = Annotated[float, Field(ge=-20, le=20, allow_inf_nan=False)]


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
    min_log_std: LogStd | None
