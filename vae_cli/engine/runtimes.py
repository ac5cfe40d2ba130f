"""The options of `runtime=`. Each chooses the runner that makes the steps of a trainable; none changes a result."""

from collections.abc import Callable
from typing import NamedTuple

from vae_cli.engine.capture import capture
from vae_cli.engine.cuda_graph import CudaGraphRunner
from vae_cli.engine.gradients import CompiledGradient, TracedGradient
from vae_cli.engine.runners import Runner, StepByStep
from vae_cli.engine.trainable import Trainable
from vae_cli.errors import UserError

STEPS_WORTH_TRACING = 5000  # of all runs together; tracing costs about 1 s and saves about 0.2 ms per step

Runtime = Callable[[Trainable], Runner]


class Eager(NamedTuple):
    """The specification, step by step."""

    def __call__(self, trainable: Trainable) -> Runner:
        return StepByStep(trainable, "eager")


class Compile(NamedTuple):
    """`torch.compile`. Compilation takes up to a minute, which only long runs save again."""

    def __call__(self, trainable: Trainable) -> Runner:
        return StepByStep(trainable, "loss and gradient compiled", CompiledGradient(trainable))


class Graph(NamedTuple):
    """CUDA graphs of `steps` steps; on a CPU, a traced gradient. `compile` takes a compiled gradient instead."""

    steps: int
    compile: bool

    def __call__(self, trainable: Trainable) -> Runner:
        compiled = CompiledGradient(trainable) if self.compile else None
        if trainable.leaves[0].device.type == "cpu":
            description = "loss and gradient compiled" if compiled else "loss and gradient traced"
            return StepByStep(trainable, description, compiled or TracedGradient(trainable))
        if reason := reason_against_capture(trainable):
            raise UserError(f"runtime=graph is not possible here: {reason}; runtime=eager is possible")
        return CudaGraphRunner(trainable, self.steps, compiled, capture)


class Auto(NamedTuple):
    """CUDA graphs where they are possible; on a CPU, a traced gradient where there are enough steps to pay for it."""

    steps: int

    def __call__(self, trainable: Trainable) -> Runner:
        on_cuda = trainable.states[0].experiment.device.type == "cuda"
        total = sum(state.experiment.total_steps for state in trainable.states)
        if reason_against_capture(trainable) if on_cuda else total < STEPS_WORTH_TRACING:
            return Eager()(trainable)
        return Graph(self.steps, compile=False)(trainable)


def reason_against_capture(trainable: Trainable) -> str | None:
    """Why a CUDA graph cannot contain these steps; None where it can."""
    for state in trainable.states:
        if state.experiment.data.train.images.device.type == "cpu":
            return "the images are in host memory (data.placement)"
        groups = [group for optimizer in state.experiment.optimizers for group in optimizer.param_groups]
        if not all("capturable" in group or group.get("fused") for group in groups):
            return "this optimizer computes values of each step on the host"
    return None
