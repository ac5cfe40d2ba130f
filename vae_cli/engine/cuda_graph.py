"""Several steps of a trainable as one CUDA graph. Without `capture` it also runs on a CPU, where tests execute the steps
instead of replaying them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_cli.engine.capture import Capture, Replay, capturable, own_stream
from vae_cli.engine.devices import to_device
from vae_cli.engine.experiment import StepSchedule
from vae_cli.engine.step import Gradient
from vae_cli.engine.trainable import Batch, Trainable, whole_batch_size

WARM_UP = 3  # steps before the first capture, in which libraries and the optimizer set themselves up


class Program(NamedTuple):
    """Captured steps, and the tensors that they read and write."""

    indices: Tensor
    schedule: Tensor
    step_metrics: Tensor
    replay: Replay


class IndexBatches:
    """An iterator over the order of an epoch: indices [steps, B], or [1, B] where the epoch or the steps to the next log
    line leave fewer than `steps`. The last batch may be smaller."""

    def __init__(self, order: Tensor, batch_size: int, steps: int, until_logged: Callable[[], int]) -> None:
        self.rest, self.batch_size, self.steps, self.until_logged = order, batch_size, steps, until_logged

    def __iter__(self) -> "IndexBatches":
        return self

    def __next__(self) -> Tensor:
        if not len(self.rest):
            raise StopIteration
        steps = self.steps if min(len(self.rest) // self.batch_size, self.until_logged()) >= self.steps else 1
        batch = self.rest[: steps * self.batch_size]
        self.rest = self.rest[len(batch) :]
        return batch.view(steps, -1)


class CudaGraphRunner:
    """Makes `steps` steps at a time, from the gathering of their images to their metrics, as one program on the device,
    without the host. Indices and scheduled values, which differ between two replays, are copied into the program's
    tensors before each.

    The first steps are made without capture, on a stream of their own.
    """

    def __init__(self, trainable: Trainable, steps: int, gradient: Gradient | None, capture: Capture) -> None:
        self.trainable, self.steps, self.gradient, self.capture = trainable, steps, gradient, capture
        self.description = f"CUDA graphs of {steps} steps{' of a compiled loss' if gradient else ''}"
        self.batch_size = whole_batch_size(trainable)
        experiment = trainable.states[0].experiment
        self.scheduled = tuple(experiment.objective.schedule(0))
        self.metrics = len(experiment.step_metrics)
        self.programs: dict[torch.Size, Program] = {}
        self.made = 0

    def batches(self, order: Tensor, until_logged: Callable[[], int]) -> IndexBatches:
        return IndexBatches(order, self.batch_size, self.steps, until_logged)

    def __call__(self, batch: Batch) -> Tensor:
        indices = batch if isinstance(batch, Tensor) else torch.stack(list(batch), 1)  # [steps, M, B]
        states = self.trainable.states
        schedules = [
            [state.experiment.step_schedule(state.step + i) for state in states] for i in range(len(indices))
        ]
        schedule = self._schedule_tensor(schedules).view(*indices.shape[:-1], -1)
        metrics = self._warm_up(indices, schedule) if self.made < WARM_UP else self._replay(indices, schedule)
        self.made += len(indices)
        for state in states:
            state.step += len(indices)
        self.trainable.set_learning_rate(_learning_rates(schedules[-1], isinstance(batch, Tensor)))
        return metrics

    def _schedule_tensor(self, schedules: Sequence[Sequence[StepSchedule]]) -> Tensor:
        """[steps, M, 1 + scheduled]."""
        numbers = [[[rate, *values.values()] for rate, values in of_step] for of_step in schedules]
        return to_device(numbers, self.trainable.leaves[0])

    def _warm_up(self, indices: Tensor, schedule: Tensor) -> Tensor:
        metrics = self._empty_metrics(schedule)
        with own_stream(schedule.device), capturable(self.trainable):
            self._make_steps(indices, schedule, metrics)
        return metrics

    def _replay(self, indices: Tensor, schedule: Tensor) -> Tensor:
        if indices.shape not in self.programs:
            self.programs[indices.shape] = self._program(indices, schedule)
        program = self.programs[indices.shape]
        program.indices.copy_(indices)
        program.schedule.copy_(schedule)
        program.replay()
        return program.step_metrics.clone()

    def _program(self, indices: Tensor, schedule: Tensor) -> Program:
        tensors = indices.clone(), schedule.clone(), self._empty_metrics(schedule)
        with capturable(self.trainable):
            replay = self.capture(lambda: self._make_steps(*tensors), self.trainable.states)
        return Program(*tensors, replay)

    def _make_steps(self, indices: Tensor, schedule: Tensor, metrics: Tensor) -> None:
        """Makes one step for each entry of the first axis, and writes its metrics."""
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
