"""Keys of the group `runtime`: how steps are computed, which changes no result."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from vae_cli.config.schema.fields import Role
from vae_cli.config.schema.part import Part

if TYPE_CHECKING:
    from vae_cli.config.schema.run import RunConfig

Steps = Annotated[int, Field(ge=1, le=1000)]  # a graph's capture takes milliseconds for each


class RuntimeConfig(Part):
    group = "runtime"
    role = Role(resumable=True)

    def compiles(self) -> bool:
        return False

    def contradictions(self, run: "RunConfig") -> Iterator[str]:
        if self.compiles() and not run.estimator.compiles:
            yield (
                f"runtime={self.name} compiles the gradient, and torch.compile gives a wrong one for estimator={run.estimator.name}; "
                "runtime=eager, and runtime=graph with runtime.compile=false, give the right one"
            )


class AutoConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Auto"] = Field(alias="_target_")
    steps: Steps


class EagerConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Eager"] = Field(alias="_target_")


class GraphConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Graph"] = Field(alias="_target_")
    steps: Steps
    compile: bool

    def compiles(self) -> bool:
        return self.compile


class CompileConfig(RuntimeConfig):
    target: Literal["vae_cli.engine.runtimes.Compile"] = Field(alias="_target_")

    def compiles(self) -> bool:
        return True
