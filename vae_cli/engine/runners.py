"""What makes the steps of a trainable, one or several at a time."""

from collections.abc import Callable, Iterator
from typing import Protocol

from torch import Tensor

from vae_cli.data.batches import Batches
from vae_cli.engine.step import Gradient
from vae_cli.engine.trainable import Batch, Trainable, whole_batch_size


class Runner(Protocol):
    """Makes the steps of a trainable."""

    steps: int  # how many at a time, at most
    description: str  # for the console

    def batches(self, order: Tensor, until_logged: Callable[[], int]) -> Iterator[Tensor]:
        """Batches of the training images in this order, as __call__ takes them. Each ends at the latest at the next log
        line: `until_logged` returns the number of steps to it."""

    def __call__(self, batch: Batch) -> Tensor:
        """Makes the steps of a batch; returns the step metrics [steps, M, 1 + terms]."""


class StepByStep:
    """Makes one step at a time. Its batches are images, which may come from host memory.

    A smaller last batch takes the eager gradient, because it is not worth a trace or a compilation of its own.
    """

    steps = 1

    def __init__(self, trainable: Trainable, description: str, gradient: Gradient | None = None) -> None:
        self.trainable, self.description, self.gradient = trainable, description, gradient
        self.batch_size = whole_batch_size(trainable)

    def batches(self, order: Tensor, until_logged: Callable[[], int]) -> Batches:
        experiment = self.trainable.states[0].experiment
        return Batches(experiment.data.train.images, order, self.batch_size, experiment.device)

    def __call__(self, batch: Batch) -> Tensor:
        size = len(batch if isinstance(batch, Tensor) else batch[0])
        gradient = self.gradient if size == self.batch_size else None
        metrics = self.trainable.update(batch, self.trainable.step_schedule(), gradient)
        for state in self.trainable.states:
            state.step += 1
        return metrics[None]
