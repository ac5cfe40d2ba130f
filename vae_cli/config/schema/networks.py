"""Keys of the group `network`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Role, Width, Words
from vae_cli.config.schema.part import Part

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig


TORCHS_SLOPE = 0.01


class NetworkConfig(Part):
    group = "network"

    activation: Literal["relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh"]
    slope: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    initialization: Annotated[Literal["default", "xavier", "kaiming", "orthogonal"], Role(member=True)]
    # `vae_cli.build` puts a layer in front, and takes the mean from the data
    inputs: Annotated[Literal["plain", "centered", "signed"], Role(argument=False)]
    # `vae_cli.build` sets the bias from the data
    mean_bias: Annotated[bool, Role(member=True, argument=False)]

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if self.slope != TORCHS_SLOPE and self.activation != "leaky_relu":
            yield (
                f"network.slope={self.slope} is of network.activation=leaky_relu, and the activation is "
                f"{self.activation}"
            )


class MLPConfig(NetworkConfig):
    target: Literal["vae_cli.models.networks.MLP"] = Field(alias="_target_")
    hidden: Annotated[
        list[Width],
        Field(max_length=100),
        Words("a list of at most 100 whole numbers from 1 to 1_000_000; write network.hidden=[…]"),
        Role(size=True),
    ]


class ConvConfig(NetworkConfig):
    target: Literal["vae_cli.models.networks.Conv"] = Field(alias="_target_")
    channels: Annotated[list[Width], Field(min_length=1, max_length=16), Role(size=True)]
    hidden: Annotated[
        Width, Words("a whole number from 1 to 1_000_000; network=conv takes one number"), Role(size=True)
    ]

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        yield from super().contradictions(run)
        side = min(run.data.sides() or (2**16,))
        if 2 ** len(self.channels) > side:
            yield (
                f"network.channels={self.channels}: {len(self.channels)} halvings are too many for images of {side} "
                f"pixels a side; allowed are {side.bit_length() - 1} or fewer (network=mlp takes any image)"
            )
