"""The protocol of what can be trained in steps: one run (`SingleRun`), or many (`vae_cli.engine.packed.PackedRuns`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from vae_cli.engine.experiment import Experiment, StepSchedule
from vae_cli.engine.state import State
from vae_cli.engine.step import Gradient, StepInputs, minimized, set_learning_rate, step_metrics, update
from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective

Batch = Tensor | Sequence[Tensor]  # for packed runs, a tensor for each run


class Trainable(Protocol):
    """One run, or M runs whose steps are made together. The shapes of one run have no axis M."""

    states: list[State]
    leaves: list[Tensor]  # the tensors whose gradients a step needs
    buffers: list[Tensor]  # the tensors that the loss changes in place
    optimizers: list[Optimizer]  # together they update all parameters

    def loss(
        self,
        leaves: Sequence[Tensor],
        buffers: Sequence[Tensor],
        step_inputs: StepInputs,
        schedule: Mapping[str, Any],
    ) -> tuple[Tensor, Tensor]:
        """As a function of all tensors: the scalar to differentiate, and the step metrics [M, 1 + terms]."""

    def step_schedule(self) -> StepSchedule:
        """The scheduled values of the next step, [M]."""

    def gather(self, indices: Tensor) -> Batch:
        """The stored training images with these indices [M, B]."""

    def update(self, batch: Batch, step_schedule: StepSchedule, gradient: Gradient | None = None) -> Tensor:
        """`vae_cli.engine.step.update` for each run; returns the step metrics [M, 1 + terms]."""

    def set_learning_rate(self, rates: Any) -> None:
        """Sets the learning rate of all optimizers; `rates` [M]."""


def whole_batch_size(trainable: Trainable) -> int:
    """The size of all batches except for the last one of an epoch, which may be smaller."""
    return trainable.states[0].experiment.config.batch_size


class Loss(nn.Module):
    """A model and its objective as one function of all their tensors."""

    def __init__(self, model: VAE, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    @classmethod
    def of(cls, experiment: Experiment) -> "Loss":
        return cls(experiment.model, experiment.objective)

    def forward(self, step_inputs: StepInputs, schedule: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Returns the loss that is minimized, and the step metrics."""
        terms = self.objective(self.model, *step_inputs, schedule)
        return minimized(terms), step_metrics(terms, self.objective.terms)


class SingleRun:
    """One run."""

    def __init__(self, state: State) -> None:
        self.state, self.states = state, [state]
        self.module = Loss.of(state.experiment)
        tensors = (*self.module.named_parameters(), *self.module.named_buffers())
        self.names = [name for name, _ in tensors]
        self.leaves: list[Tensor] = list(self.module.parameters())
        self.buffers = list(self.module.buffers())
        self.optimizers = state.experiment.optimizers

    def loss(
        self,
        leaves: Sequence[Tensor],
        buffers: Sequence[Tensor],
        step_inputs: StepInputs,
        schedule: Mapping[str, Any],
    ) -> tuple[Tensor, Tensor]:
        tensors = dict(zip(self.names, (*leaves, *buffers), strict=True))
        return functional_call(self.module, tensors, (step_inputs, schedule))

    def step_schedule(self) -> StepSchedule:
        return self.state.experiment.step_schedule(self.state.step)

    def gather(self, indices: Tensor) -> Tensor:
        return self.state.experiment.data.train.images.index_select(0, indices)

    def update(self, batch: Batch, step_schedule: StepSchedule, gradient: Gradient | None = None) -> Tensor:
        assert isinstance(batch, Tensor)
        return update(self.state, batch, step_schedule, gradient)

    def set_learning_rate(self, rates: float | Tensor) -> None:
        set_learning_rate(self.state.experiment.optimizer, rates)
