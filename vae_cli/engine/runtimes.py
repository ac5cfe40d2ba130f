"""The same step made faster from outside: recorded, compiled, or captured in a CUDA graph, several at a time.

`vae_cli.engine.state.update` stays what a step is. A Runner makes the steps of a body; a Runtime, which `runtime=` names,
chooses the Runner.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from torch import Tensor

from vae_cli.data.batches import batches
from vae_cli.engine.cuda_graph import CudaGraphRunner, cuda_graph
from vae_cli.engine.gradients import CompiledGradient, TracedGradient
from vae_cli.engine.trainable import Batch, Gradient, Trainable
from vae_cli.errors import UserError

PAYS_BACK = 5000  # steps, of all members; a recording takes a second, and saves about 0.2 ms each


class Runner(Protocol):
    """Makes the steps of a body."""

    steps: int  # at a time, at most
    says: str  # what it is, for the console

    def feed(self, order: Tensor, until_logged: Callable[[], int]) -> Iterator[Tensor]:
        """Batches of the images in this order, as __call__ takes them; none goes beyond the next log line."""

    def __call__(self, batch: Batch) -> Tensor:
        """Their steps; the rows [steps, M, 3]."""


class OneByOne:
    """On images, which may come from host memory. The last batch of an epoch, if it is smaller, is made eagerly: for one
    step in an epoch nothing is recorded or compiled."""

    steps = 1

    def __init__(self, body: Trainable, says: str, gradient: Gradient | None = None) -> None:
        self.body, self.says, self.gradient = body, says, gradient

    def feed(self, order: Tensor, until_logged: Callable[[], int]) -> Iterator[Tensor]:
        parts = self.body.states[0].experiment
        return batches(parts.data.train.images, order, parts.settings.batch_size, parts.device)

    def __call__(self, batch: Batch) -> Tensor:
        body = self.body
        size = len(batch if isinstance(batch, Tensor) else batch[0])
        whole = size == body.states[0].experiment.settings.batch_size
        body.gradient = self.gradient if whole else None
        rows = body.update(batch, body.dials())
        for state in body.states:
            state.step += 1
        return rows[None]


class Eager(NamedTuple):
    """The specification."""

    def __call__(self, body: Trainable) -> Runner:
        return OneByOne(body, "eager")


class Compile(NamedTuple):
    """Worth its minute of compilation in long runs alone."""

    def __call__(self, body: Trainable) -> Runner:
        return OneByOne(body, "loss and gradient compiled", CompiledGradient(body))


class Graph(NamedTuple):
    """The steps as a program: a CUDA graph of several, or on a CPU a recorded one."""

    steps: int
    compile: bool

    def __call__(self, body: Trainable) -> Runner:
        compiled = CompiledGradient(body) if self.compile else None
        if body.leaves[0].device.type == "cpu":
            says = "loss and gradient compiled" if compiled else "loss and gradient recorded"
            return OneByOne(body, says, compiled or TracedGradient(body))
        if reason := reason_against_capture(body):
            raise UserError(f"runtime=graph is not possible here: {reason}; runtime=eager is")
        return CudaGraphRunner(body, self.steps, compiled, cuda_graph)


class Auto(NamedTuple):
    """CUDA graphs where they can be; on a CPU a recording where there are steps enough to pay for it."""

    steps: int

    def __call__(self, body: Trainable) -> Runner:
        parts = body.states[0].experiment
        few = sum(state.experiment.total_steps for state in body.states) < PAYS_BACK
        if reason_against_capture(body) if parts.device.type == "cuda" else few:
            return Eager()(body)
        return Graph(self.steps, compile=False)(body)


Runtime = Eager | Compile | Graph | Auto


def reason_against_capture(body: Trainable) -> str | None:
    """Why a CUDA graph cannot hold these steps."""
    for state in body.states:
        if state.experiment.data.train.images.device.type == "cpu":
            return "the images are in host memory (data.placement)"
        for group in state.experiment.optimizer.param_groups:
            if not ("capturable" in group or group.get("fused")):
                return "this optimizer computes on the host what changes with the step"
    return None
