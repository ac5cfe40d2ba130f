"""Keys of the group `optimizer`. Other optimizers of torch.optim may be named in a user's own option; their keys go to them."""

from typing import Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Fraction, NotNegative, Positive, Role
from vae_cli.config.schema.part import Part

Betas = Annotated[
    list[Annotated[float, Field(ge=0, le=0.9999999, allow_inf_nan=False)]], Field(min_length=2, max_length=2)
]


class OptimizerConfig(Part):
    group = "optimizer"
    role = Role(member=True)
    trusted = "torch.optim"

    lr: Positive


class AdamConfig(OptimizerConfig):
    target: Literal["torch.optim.Adam"] = Field(alias="_target_")
    betas: Betas
    eps: Positive
    weight_decay: NotNegative
    fused: bool


class AdamWConfig(OptimizerConfig):
    target: Literal["torch.optim.AdamW"] = Field(alias="_target_")
    betas: Betas
    eps: Positive
    weight_decay: NotNegative
    fused: bool


class SGDConfig(OptimizerConfig):
    target: Literal["torch.optim.SGD"] = Field(alias="_target_")
    momentum: NotNegative
    weight_decay: NotNegative
    nesterov: bool
    fused: bool


class RMSpropConfig(OptimizerConfig):
    target: Literal["torch.optim.RMSprop"] = Field(alias="_target_")
    alpha: Fraction
    eps: Positive
    momentum: NotNegative
    weight_decay: NotNegative


class AdagradConfig(OptimizerConfig):
    target: Literal["torch.optim.Adagrad"] = Field(alias="_target_")
    eps: Positive
    weight_decay: NotNegative
