"""Many runs as one model: their parameters stacked, `vmap` of the loss, and one backward pass of the sum.

The gradient of the sum with respect to one run's parameters is the gradient of that run's own loss, so that each run
takes the step that it would take by itself, up to rounding. Each run keeps its own batches, generator, optimizer and
schedules. The runs need the same code and, except for the code size, the same shapes.

A smaller code is padded with units whose weights to and from them are zero. The posterior of such a unit is its prior,
so that it adds nothing to rate and distortion; no real unit gets a gradient through it, and its own gradient is dropped
with the padding. Free bits and learned control variates would see such units: see `RunConfig.packs_code_sizes`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from vae_cli.engine.devices import to_device
from vae_cli.engine.experiment import StepSchedule
from vae_cli.engine.joint_optimizer import joint_optimizers
from vae_cli.engine.padding import pad_latent
from vae_cli.engine.state import State
from vae_cli.engine.step import Gradient, StepInputs, clip, draw, set_learning_rate
from vae_cli.engine.trainable import Batch, Loss


class PackedRuns:
    """M runs whose tensors are stored as [M, …]. The tensors of each run are views of that storage, so that its
    evaluation, checkpoints and pictures see the current values. A `vae_cli.engine.trainable.Trainable`."""

    def __init__(self, states: Sequence[State]) -> None:
        self.states = list(states)
        self.sizes = [state.experiment.model.latent.code_size for state in states]
        self.largest = max(self.sizes)
        self.widest = self.sizes.index(self.largest)  # a run with the largest code
        self.optimizers, self.merged = joint_optimizers(states)
        losses = [Loss.of(state.experiment) for state in states]
        self._stack_parameters([dict(loss.named_parameters()) for loss in losses])
        buffers = _stacked([dict(loss.named_buffers()) for loss in losses])
        self.buffers = list(buffers.values())
        self.names = [*self.stacked_names, *self.padded_names, *buffers]
        module = losses[self.widest]
        self.function = vmap(lambda tensors, *given: functional_call(module, tensors, given))

    def _stack_parameters(self, runs: Sequence[dict[str, Tensor]]) -> None:
        """Parameters of equal shape are stacked now; the others are padded and stacked in each step."""
        self.shapes = {name: p.shape for name, p in runs[self.widest].items()}
        equal = [name for name in self.shapes if len({run[name].shape for run in runs}) == 1]
        stacked = _stacked([{name: run[name] for name in equal} for run in runs])
        self.stacked_names = list(stacked)
        self.padded_names = [name for name in self.shapes if name not in stacked]
        self.stacked: list[Tensor] = [tensor.requires_grad_() for tensor in stacked.values()]
        self.views = [[run[name] for run in runs] for name in equal]  # of each stacked tensor
        self.leaves = self.stacked + [run[name] for name in self.padded_names for run in runs]

    def loss(
        self,
        leaves: Sequence[Tensor],
        buffers: Sequence[Tensor],
        step_inputs: StepInputs,
        schedule: Mapping[str, Any],
    ) -> tuple[Tensor, Tensor]:
        """The sum of the losses, and the step metrics [M, 1 + terms]; step_inputs and schedule have the axis M, too."""
        runs = len(self.states)
        stacked, rest = leaves[: len(self.stacked)], leaves[len(self.stacked) :]
        padded = [
            self._padded(rest[i * runs : (i + 1) * runs], self.shapes[name])
            for i, name in enumerate(self.padded_names)
        ]
        tensors = dict(zip(self.names, (*stacked, *padded, *buffers), strict=True))
        losses, metrics = self.function(tensors, step_inputs, dict(schedule))
        return losses.sum(), metrics

    def _padded(self, tensors: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
        """One tensor of each run, padded to the `shape` that the largest code has, and stacked."""
        each = zip(tensors, self.sizes, strict=True)
        return torch.stack([pad_latent(tensor, size, self.largest, shape) for tensor, size in each])

    def step_schedule(self) -> StepSchedule:
        each = [state.experiment.step_schedule(state.step) for state in self.states]
        like = self.leaves[0]
        values = {name: to_device([one.objective[name] for one in each], like) for name in each[0].objective}
        return StepSchedule([one.learning_rate for one in each], values)

    def gather(self, indices: Tensor) -> list[Tensor]:
        images = [state.experiment.data.train.images for state in self.states]
        return [own.index_select(0, index) for own, index in zip(images, indices, strict=True)]

    def update(self, batch: Batch, step_schedule: StepSchedule, gradient: Gradient | None = None) -> Tensor:
        """Updates each run on its own stored images [B, D], in the order of `vae_cli.engine.step.update`."""
        self.set_learning_rate(step_schedule.learning_rate)
        drawn = [draw(state, images) for state, images in zip(self.states, batch, strict=True)]
        inputs, x, noise = zip(*drawn, strict=True)
        padded = self._padded(noise, noise[self.widest].shape)
        step_inputs = StepInputs(torch.stack(inputs), torch.stack(x), padded)
        metrics = (gradient or self._eager_gradient)(step_inputs, step_schedule)
        self._share_out_gradients()
        for state in self.states:
            clip(state)
        for optimizer in self.optimizers:
            optimizer.step()
        return metrics

    def set_learning_rate(self, rates: Sequence[float] | Tensor) -> None:
        for state, rate in zip(self.states, rates, strict=True):
            set_learning_rate(state.experiment.optimizer, rate)
        for group, run in self.merged:
            group["lr"] = rates[run]

    def _eager_gradient(self, step_inputs: StepInputs, step_schedule: StepSchedule) -> Tensor:
        loss, metrics = self.loss(self.leaves, self.buffers, step_inputs, step_schedule.objective)
        for leaf in self.leaves:
            leaf.grad = None
        loss.backward()
        return metrics

    def _share_out_gradients(self) -> None:
        """Sets each run's gradients to its part of the gradients of the stacked parameters."""
        for leaf, views in zip(self.stacked, self.views, strict=True):
            gradients = [None] * len(views) if leaf.grad is None else leaf.grad.unbind(0)
            for view, gradient in zip(views, gradients, strict=True):
                view.grad = gradient


def _stacked(runs: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """name → [M, …]; the tensors of the runs become views of the result."""
    stacked = {name: torch.stack([run[name].detach() for run in runs]) for name in runs[0]}
    for m, run in enumerate(runs):
        for name, tensor in run.items():
            tensor.data = stacked[name][m]
    return stacked
