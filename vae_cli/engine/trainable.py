"""Whose steps are made together: one run's (`SingleRun`), or those of many (`vae_cli.engine.packed.PackedRuns`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from vae_cli.engine.state import State, StepInputs, StepSchedule, set_learning_rate, step_metrics, update
from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective

Batch = Tensor | Sequence[Tensor]  # one a member, where the body is a stack
Gradient = Callable[[StepInputs, StepSchedule], Tensor]  # fills .grad, returns the rows


class Trainable(Protocol):
    """Steps that are made together: of one run, where the axes M below are none, or of M."""

    states: list[State]
    leaves: list[Tensor]  # whose gradients a step needs
    buffers: list[Tensor]  # what the loss changes in place
    optimizers: list[Optimizer]  # which step all parameters
    gradient: Gradient | None  # None: the body's own, eager

    def loss(
        self,
        leaves: Sequence[Tensor],
        buffers: Sequence[Tensor],
        draws: StepInputs,
        schedule: Mapping[str, Any],
    ) -> tuple[Tensor, Tensor]:
        """A function of all its tensors: the scalar to differentiate, and the rows [M, 1 + terms]."""

    def dials(self) -> StepSchedule:
        """[M], of the next step."""

    def gather(self, indices: Tensor) -> Batch:
        """The stored images of indices [M, B]."""

    def update(self, batch: Batch, dials: StepSchedule) -> Tensor:
        """`vae_cli.engine.state.update`; the rows [M, 1 + terms]."""

    def set_learning_rate(self, rates: Any) -> None:
        """[M], of all optimizers."""


def beside(like: Tensor, numbers: Any) -> Tensor:
    """Numbers as a tensor on the device of `like`. From pinned memory, for otherwise the host would wait for the device."""
    host = torch.tensor(numbers, dtype=like.dtype, pin_memory=like.is_cuda)
    return host.to(like.device, non_blocking=True)


class Loss(nn.Module):
    """A model and its objective, as one function of all their tensors."""

    def __init__(self, model: VAE, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, draws: StepInputs, schedule: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """→ the loss that is minimized, and the row that is reported."""
        terms = self.objective(self.model, *draws, schedule)
        return terms.loss.mean(), step_metrics(terms, self.objective.terms)


class SingleRun:
    """The steps of one run."""

    def __init__(self, state: State) -> None:
        self.states = [state]
        self.whole = Loss(state.experiment.model, state.experiment.objective)
        tensors = (*self.whole.named_parameters(), *self.whole.named_buffers())
        self.names = [name for name, _ in tensors]
        self.leaves: list[Tensor] = list(self.whole.parameters())
        self.buffers = list(self.whole.buffers())
        self.optimizers = [state.experiment.optimizer]
        self.gradient: Gradient | None = None

    def loss(
        self,
        leaves: Sequence[Tensor],
        buffers: Sequence[Tensor],
        draws: StepInputs,
        schedule: Mapping[str, Any],
    ) -> tuple[Tensor, Tensor]:
        tensors = dict(zip(self.names, (*leaves, *buffers), strict=True))
        return functional_call(self.whole, tensors, (draws, schedule))

    def dials(self) -> StepSchedule:
        return self.states[0].experiment.dials(self.states[0].step)

    def gather(self, indices: Tensor) -> Tensor:
        return self.states[0].experiment.data.train.images.index_select(0, indices)

    def update(self, batch: Batch, dials: StepSchedule) -> Tensor:
        assert isinstance(batch, Tensor)
        if (gradient := self.gradient) is None:
            return update(self.states[0], batch, dials)
        return update(self.states[0], batch, dials, lambda parts, *given: gradient(*given))

    def set_learning_rate(self, rates: float | Tensor) -> None:
        set_learning_rate(self.states[0].experiment.optimizer, rates)
