"""Keys of the group `runtime`: how steps are computed, which changes no result."""

from typing import Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Role
from vae_cli.config.schema.part import Part

Steps = Annotated[int, Field(ge=1, le=1000)]  # a graph's capture takes milliseconds for each


class RuntimeConfig(Part):
    group = "runtime"
    role = Role(resumable=True)


class AutoConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Auto"] = Field(alias="_target_")
    steps: Steps


class EagerConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Eager"] = Field(alias="_target_")


class GraphConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Graph"] = Field(alias="_target_")
    steps: Steps
    compile: bool


class CompileConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Compile"] = Field(alias="_target_")
