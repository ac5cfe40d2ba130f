"""Several steps of a trainable as one CUDA graph.

All but `capture` also runs on a CPU, where tests call the steps instead of replaying them.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_cli.engine.devices import to_device
from vae_cli.engine.experiment import StepSchedule
from vae_cli.engine.state import State
from vae_cli.engine.step import Gradient
from vae_cli.engine.trainable import Batch, Trainable, whole_batch_size

WARM_UP = 3  # steps before the first capture, in which libraries and the optimizer set themselves up

Replay = Callable[[], None]
Capture = Callable[[Callable[[], None], Sequence[State]], Replay]


class Program(NamedTuple):
    """Captured steps, and the tensors that they read and write."""

    indices: Tensor
    schedule: Tensor
    step_metrics: Tensor
    replay: Replay


class CudaGraphRunner:
    """`steps` at a time, from the gathering of their images to their metrics, as one program on the device without the
    host. What differs between two replays, indices and scheduled values, is copied into the program's tensors before.

    The first steps are made without capture, on a stream of their own.
    """

    def __init__(self, trainable: Trainable, steps: int, gradient: Gradient | None, capture: Capture) -> None:
        self.trainable, self.steps, self.gradient, self.capture = trainable, steps, gradient, capture
        self.description = f"CUDA graphs of {steps} steps{' of a compiled loss' if gradient else ''}"
        self.batch_size = whole_batch_size(trainable)
        parts = trainable.states[0].experiment
        self.scheduled = tuple(parts.objective.schedule(0))
        self.metrics = len(parts.step_metrics)
        self.programs: dict[torch.Size, Program] = {}
        self.made = 0

    def batches(self, order: Tensor, until_logged: Callable[[], int]) -> Iterator[Tensor]:
        """[steps, B] indices, or [1, B] where fewer than `steps` are left before the next log line."""
        whole, first = len(order) // self.batch_size, 0
        while first < whole:
            steps = self.steps if min(whole - first, until_logged()) >= self.steps else 1
            images = order[first * self.batch_size : (first + steps) * self.batch_size]
            yield images.view(steps, self.batch_size)
            first += steps
        if len(order) % self.batch_size:
            yield order[None, whole * self.batch_size :]

    def __call__(self, batch: Batch) -> Tensor:
        indices = batch if isinstance(batch, Tensor) else torch.stack(list(batch), 1)  # [steps, M, B]
        states = self.trainable.states
        ahead = [
            [state.experiment.step_schedule(state.step + i) for state in states] for i in range(len(indices))
        ]
        schedule = self._schedule_tensor(ahead).view(*indices.shape[:-1], -1)
        metrics = self._warm_up(indices, schedule) if self.made < WARM_UP else self._replay(indices, schedule)
        self.made += len(indices)
        for state in states:
            state.step += len(indices)
        self.trainable.set_learning_rate(_learning_rates(ahead[-1], isinstance(batch, Tensor)))
        return metrics

    def _schedule_tensor(self, ahead: Sequence[Sequence[StepSchedule]]) -> Tensor:
        """[steps, M, 1 + scheduled]."""
        numbers = [[[rate, *values.values()] for rate, values in each] for each in ahead]
        return to_device(numbers, self.trainable.leaves[0])

    def _warm_up(self, indices: Tensor, schedule: Tensor) -> Tensor:
        metrics = self._empty_metrics(schedule)
        with _own_stream(schedule.device), _capturable(self.trainable):
            self._steps(indices, schedule, metrics)
        return metrics

    def _replay(self, indices: Tensor, schedule: Tensor) -> Tensor:
        program = self.programs.get(indices.shape) or self._captured(indices, schedule)
        program.indices.copy_(indices)
        program.schedule.copy_(schedule)
        program.replay()
        return program.step_metrics.clone()

    def _captured(self, indices: Tensor, schedule: Tensor) -> Program:
        tensors = indices.clone(), schedule.clone(), self._empty_metrics(schedule)
        with _capturable(self.trainable):
            replay = self.capture(lambda: self._steps(*tensors), self.trainable.states)
        self.programs[indices.shape] = Program(*tensors, replay)
        return self.programs[indices.shape]

    def _steps(self, indices: Tensor, schedule: Tensor, metrics: Tensor) -> None:
        gradient = self.gradient if indices.shape[-1] == self.batch_size else None
        for index, scheduled, result in zip(indices, schedule, metrics, strict=True):
            rate, *values = scheduled.unbind(-1)
            step_schedule = StepSchedule(rate, dict(zip(self.scheduled, values, strict=True)))
            result.copy_(self.trainable.update(self.trainable.gather(index), step_schedule, gradient))

    def _empty_metrics(self, schedule: Tensor) -> Tensor:
        return schedule.new_empty(*schedule.shape[:-1], self.metrics)


def _learning_rates(schedules: Sequence[StepSchedule], single: bool) -> Any:
    rates = [schedule.learning_rate for schedule in schedules]
    return rates[0] if single else rates


def capture(steps: Callable[[], None], states: Sequence[State]) -> Replay:
    """Captures the steps; returns what makes them again, each time with the next draws of the states' generators."""
    graph = torch.cuda.CUDAGraph()
    for state in states:
        graph.register_generator_state(state.generator)
    device = states[0].experiment.device
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
                parameter.grad = gradient  # the graph replayed last may have written another tensor

    return replay


@contextmanager
def _own_stream(device: torch.device) -> Iterator[None]:
    """A stream of its own, on which steps must run before they are captured."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


@contextmanager
def _capturable(trainable: Trainable) -> Iterator[None]:
    """On CUDA, lets the optimizers count their steps on the device meanwhile. Afterwards they are as a checkpoint needs
    them, which may be resumed on a CPU."""
    if trainable.leaves[0].device.type != "cuda":
        yield
        return
    device = trainable.leaves[0].device
    own = [state.experiment.optimizer.state.values() for state in trainable.states]
    for of_parameter in itertools.chain(*own):
        if "step" in of_parameter:
            of_parameter["step"] = of_parameter["step"].to(device)
    all_groups = itertools.chain(*(optimizer.param_groups for optimizer in trainable.optimizers))
    groups = [group for group in all_groups if "capturable" in group]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in groups:
            group["capturable"] = False
