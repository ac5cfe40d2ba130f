"""Keys of the group `optimizer`. Other optimizers of torch.optim may be named in a user's own option; their keys go to them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Epsilon, MeanDecay, Positive, Rate, Role
from vae_cli.config.schema.part import Part

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

Betas = Annotated[list[MeanDecay], Field(min_length=2, max_length=2)]

UNSUITABLE = {
    "torch.optim.LBFGS": "computes the loss several times a step",
    "torch.optim.SparseAdam": "takes sparse gradients alone",
}


class OptimizerConfig(Part):
    group = "optimizer"
    role = Role(member=True)
    trusted = "torch.optim"

    moments: ClassVar[int] = 0  # numbers that it keeps of each parameter, at least

    lr: Positive

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if reason := UNSUITABLE.get(self.target):
            yield f"optimizer._target_={self.target} cannot train a model: it {reason}"


class AdamConfig(OptimizerConfig):
    moments = 2

    target: Literal["torch.optim.Adam"] = Field(alias="_target_")
    betas: Betas
    eps: Epsilon
    weight_decay: Rate
    fused: bool


class AdamWConfig(OptimizerConfig):
    moments = 2

    target: Literal["torch.optim.AdamW"] = Field(alias="_target_")
    betas: Betas
    eps: Epsilon
    weight_decay: Rate
    fused: bool

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if self.lr * self.weight_decay > 1:
            yield (
                f"optimizer.lr={self.lr} times optimizer.weight_decay={self.weight_decay} is above 1, so that a step "
                "subtracts more of each parameter than there is"
            )


class SGDConfig(OptimizerConfig):
    target: Literal["torch.optim.SGD"] = Field(alias="_target_")
    momentum: MeanDecay
    weight_decay: Rate
    nesterov: bool
    fused: bool

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if self.nesterov and not self.momentum:
            yield "optimizer.nesterov=true needs momentum: optimizer.momentum above 0, it is 0"


class RMSpropConfig(OptimizerConfig):
    moments = 1

    target: Literal["torch.optim.RMSprop"] = Field(alias="_target_")
    # the first step is lr / √(1 − alpha)
    alpha: Annotated[float, Field(ge=0, le=0.9999, allow_inf_nan=False)]
    eps: Epsilon
    momentum: MeanDecay
    weight_decay: Rate


class AdagradConfig(OptimizerConfig):
    moments = 1

    target: Literal["torch.optim.Adagrad"] = Field(alias="_target_")
    eps: Epsilon
    weight_decay: Rate
