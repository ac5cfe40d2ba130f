"""Several steps of a body as one CUDA graph.

All but `cuda_graph` itself runs on a CPU, too, where the tests call the steps in place of a replay.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_cli.engine.state import State, StepSchedule
from vae_cli.engine.trainable import Batch, Gradient, Trainable, beside

WARM_UP = 3  # steps before the first capture: libraries and the optimizer set themselves up


class Program(NamedTuple):
    """CudaGraphRunner steps, and the tensors that they read and write."""

    indices: Tensor
    dials: Tensor
    rows: Tensor
    replay: Callable[[], None]


Capture = Callable[[Callable[[], None], Sequence[State]], Callable[[], None]]


class CudaGraphRunner:
    """`steps` at a time, each from the gather of its images to its row, as one program on the device; the host has no
    part in them. What differs between two runs of a program is copied into its tensors before: indices and dials.

    The first steps are made without capture, on a stream beside.
    """

    def __init__(self, body: Trainable, steps: int, gradient: Gradient | None, capture: Capture) -> None:
        self.body, self.steps, self.gradient, self.capture = body, steps, gradient, capture
        self.says = f"CUDA graphs of {steps} steps{' of a compiled loss' if gradient else ''}"
        self.scheduled = tuple(body.states[0].experiment.objective.schedule(0))
        self.programs: dict[torch.Size, Program] = {}
        self.made = 0

    def feed(self, order: Tensor, until_logged: Callable[[], int]) -> Iterator[Tensor]:
        """[steps, B] indices, or [1, B] where no `steps` of them are left before the next log line."""
        size = self.body.states[0].experiment.settings.batch_size
        whole, at = len(order) // size, 0
        while at < whole:
            k = self.steps if min(whole - at, until_logged()) >= self.steps else 1
            yield order[at * size : (at + k) * size].view(k, size)
            at += k
        if len(order) % size:
            yield order[None, whole * size :]

    def __call__(self, batch: Batch) -> Tensor:
        indices = batch if isinstance(batch, Tensor) else torch.stack(list(batch), 1)  # [steps, M, B]
        states, like = self.body.states, self.body.leaves[0]
        ahead = [[state.experiment.dials(state.step + i) for state in states] for i in range(len(indices))]
        numbers = [[[rate, *values.values()] for rate, values in each] for each in ahead]
        dials = beside(like, numbers).view(*indices.shape[:-1], 1 + len(self.scheduled))
        if self.made < WARM_UP:
            rows = self._rows_for(dials)
            with _aside(like.device), _capturable(self.body):
                self._steps(indices, dials, rows)
        else:
            program = self.programs.get(indices.shape) or self._captured(indices, dials)
            program.indices.copy_(indices)
            program.dials.copy_(dials)
            program.replay()
            rows = program.rows.clone()
        self.made += len(indices)
        for state in states:
            state.step += len(indices)
        self.body.set_learning_rate(_rates(ahead[-1], isinstance(batch, Tensor)))
        return rows

    def _captured(self, indices: Tensor, dials: Tensor) -> Program:
        held = indices.clone(), dials.clone(), self._rows_for(dials)
        with _capturable(self.body):
            replay = self.capture(lambda: self._steps(*held), self.body.states)
        self.programs[indices.shape] = Program(*held, replay)
        return self.programs[indices.shape]

    def _steps(self, indices: Tensor, dials: Tensor, rows: Tensor) -> None:
        whole = indices.shape[-1] == self.body.states[0].experiment.settings.batch_size
        self.body.gradient = self.gradient if whole else None
        for index, dial, to in zip(indices, dials, rows, strict=True):
            rate, *values = dial.unbind(-1)
            schedule = StepSchedule(rate, dict(zip(self.scheduled, values, strict=True)))
            to.copy_(self.body.update(self.body.gather(index), schedule))

    def _rows_for(self, dials: Tensor) -> Tensor:
        parts = self.body.states[0].experiment
        return dials.new_empty(*dials.shape[:-1], len(parts.step_metrics))


def _rates(dials: Sequence[StepSchedule], one: bool) -> Any:
    rates = [dial.learning_rate for dial in dials]
    return rates[0] if one else rates


def cuda_graph(steps: Callable[[], None], states: Sequence[State]) -> Callable[[], None]:
    """What makes these steps again, each time with the next draws of the states' generators."""
    graph = torch.cuda.CUDAGraph()
    for state in states:
        graph.register_generator_state(state.generator)
    device = next(states[0].experiment.model.parameters()).device
    with torch.cuda.graph(graph, stream=torch.cuda.Stream(device)):
        steps()
    parameters = [state.experiment.parameters for state in states]
    written = [[p.grad for p in own] for own in parameters], [state.gradient_norm for state in states]

    def replay() -> None:
        with torch.cuda.device(device):
            graph.replay()
        for state, own, gradients, norm in zip(states, parameters, *written, strict=True):
            state.gradient_norm = norm
            for parameter, gradient in zip(own, gradients, strict=True):
                parameter.grad = gradient  # another graph may have written the last one elsewhere

    return replay


@contextmanager
def _aside(device: torch.device) -> Iterator[None]:
    """On a stream of their own, as what is to be captured must run before it is."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


@contextmanager
def _capturable(body: Trainable) -> Iterator[None]:
    """On CUDA the optimizers count their steps on the device meanwhile. Afterwards they are as a checkpoint should find
    them, which may go on elsewhere."""
    groups = [
        group for optimizer in body.optimizers for group in optimizer.param_groups if "capturable" in group
    ]
    own = [state.experiment.optimizer.state.values() for state in body.states]
    device = body.leaves[0].device
    if device.type != "cuda":
        yield
        return
    for of_parameter in itertools.chain(*own):
        if "step" in of_parameter:
            of_parameter["step"] = of_parameter["step"].to(device)
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in groups:
            group["capturable"] = False
