"""Keys of the group `network`."""

from typing import Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Count, Role, Words
from vae_cli.config.schema.part import Part


class NetworkConfig(Part):
    group = "network"

    activation: Literal["relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh"]
    initialization: Annotated[Literal["default", "xavier", "kaiming", "orthogonal"], Role(member=True)]
    mean_bias: Annotated[
        bool, Role(member=True, argument=False)
    ]  # `vae_cli.build` sets the bias from the data


class MLPConfig(NetworkConfig):
    target: Literal["vae_cli.models.networks.MLP"] = Field(alias="_target_")
    hidden: Annotated[list[Count], Words("a list of whole numbers of at least 1; write network.hidden=[…]")]


class ConvConfig(NetworkConfig):
    target: Literal["vae_cli.models.networks.Conv"] = Field(alias="_target_")
    channels: list[Count]
    hidden: Annotated[Count, Words("a whole number of at least 1; network=conv takes one number")]
