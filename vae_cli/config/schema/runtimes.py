"""Keys of the group `runtime`: how steps are computed, which changes no result."""

from typing import Literal

from pydantic import Field

from vae_cli.config.schema.fields import Count, Role
from vae_cli.config.schema.part import Part


class RuntimeConfig(Part):
    group = "runtime"
    role = Role(resumable=True)


class AutoConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Auto"] = Field(alias="_target_")
    steps: Count


class EagerConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Eager"] = Field(alias="_target_")


class GraphConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Graph"] = Field(alias="_target_")
    steps: Count
    compile: bool


class CompileConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Compile"] = Field(alias="_target_")
