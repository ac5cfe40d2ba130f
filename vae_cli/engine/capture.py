"""Capturing steps as a CUDA graph, and what must be so while they are captured. Only `capture` needs CUDA."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from vae_cli.engine.state import State
from vae_cli.engine.trainable import Trainable

Replay = Callable[[], None]
Capture = Callable[[Callable[[], None], Sequence[State]], Replay]


def capture(steps: Callable[[], None], states: Sequence[State]) -> Replay:
    """Captures `steps` without executing them. The result executes them, each time with the next draws of the states'
    generators."""
    graph = torch.cuda.CUDAGraph()
    for state in states:
        graph.register_generator_state(state.generator)
    device = states[0].experiment.device
    with torch.cuda.graph(graph, stream=torch.cuda.Stream(device)):
        steps()
    parameters = [state.experiment.parameters for state in states]
    gradients = [[parameter.grad for parameter in own] for own in parameters]
    norms = [state.gradient_norm for state in states]

    def replay() -> None:
        with torch.cuda.device(device):
            graph.replay()
        for state, norm, own, written in zip(states, norms, parameters, gradients, strict=True):
            state.gradient_norm = norm
            for parameter, gradient in zip(own, written, strict=True):
                parameter.grad = gradient  # the graph replayed before may have written another tensor

    return replay


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """On CUDA, a stream of its own: steps must run on one before they can be captured."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


@contextmanager
def capturable(trainable: Trainable) -> Iterator[None]:
    """On CUDA, makes the optimizers count their steps on the device. Afterwards their settings are as before, because a
    checkpoint holds them and may be resumed on a CPU."""
    device = trainable.leaves[0].device
    if device.type != "cuda":
        yield
        return
    _move_step_counts(trainable, device)
    groups = [
        group
        for optimizer in trainable.optimizers
        for group in optimizer.param_groups
        if "capturable" in group
    ]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in groups:
            group["capturable"] = False


def _move_step_counts(trainable: Trainable, device: torch.device) -> None:
    optimizers = [each for state in trainable.states for each in state.experiment.optimizers]
    for of_parameter in itertools.chain(*(optimizer.state.values() for optimizer in optimizers)):
        if "step" in of_parameter:
            of_parameter["step"] = of_parameter["step"].to(device)
