"""What computes the steps of a trainable, one or several at a time."""

from collections.abc import Callable, Iterator
from typing import Protocol

from torch import Tensor

from vae_cli.data.batches import batches
from vae_cli.engine.step import Gradient
from vae_cli.engine.trainable import Batch, Trainable, whole_batch_size


class Runner(Protocol):
    """Computes the steps of a trainable."""

    steps: int  # at a time, at most
    description: str  # for the console

    def batches(self, order: Tensor, until_logged: Callable[[], int]) -> Iterator[Tensor]:
        """Batches of the images in this order, as __call__ takes them. None contains a log line but at its end:
        `until_logged` returns the steps to the next one."""

    def __call__(self, batch: Batch) -> Tensor:
        """Makes their steps; returns the step metrics [steps, M, 1 + terms]."""


class StepByStep:
    """One step at a time, on batches of images, which may come from host memory.

    The last batch of an epoch, if it is smaller, takes the eager gradient: nothing is traced or compiled for one step in
    an epoch.
    """

    steps = 1

    def __init__(self, trainable: Trainable, description: str, gradient: Gradient | None = None) -> None:
        self.trainable, self.description, self.gradient = trainable, description, gradient
        self.batch_size = whole_batch_size(trainable)

    def batches(self, order: Tensor, until_logged: Callable[[], int]) -> Iterator[Tensor]:
        parts = self.trainable.states[0].experiment
        return batches(parts.data.train.images, order, self.batch_size, parts.device)

    def __call__(self, batch: Batch) -> Tensor:
        size = len(batch if isinstance(batch, Tensor) else batch[0])
        gradient = self.gradient if size == self.batch_size else None
        metrics = self.trainable.update(batch, self.trainable.schedule(), gradient)
        for state in self.trainable.states:
            state.step += 1
        return metrics[None]
