"""Members of a sweep as one model: their parameters stacked, `vmap` of the loss, one backward pass of the sum.

The sum's gradient with respect to one member's parameters is that of its own loss alone, so that each takes the step
that it would take by itself, up to rounding. What is a member's own stays with it: its batch, its draws from its own
generator, its optimizer, its schedules. Members hence need the same code and, but for the code size, the same shapes.

A smaller code is filled up with units whose weights are zero, to them and from them. Zeros are their own mask: such a
unit's posterior is the prior, so that it adds nothing to rate and distortion, no unit that exists gets a gradient through
it, and its own gradient is cut off where it was filled up. Free bits alone would see it: see `vae_cli.sweeps.packed.compatible`.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call, vmap

from vae_cli.engine.state import State, StepInputs, StepSchedule, clip, draw, set_learning_rate
from vae_cli.engine.trainable import Batch, Gradient, Loss, beside

SHARE = 0.8  # of the free memory that a group may fill


class PackedRuns:
    """The tensors of M members as [M, …], which are their storage: each member's own are views of it, so that its
    evaluation, checkpoints and pictures see what it has come to. A `vae_cli.engine.trainable.Trainable`."""

    def __init__(self, states: Sequence[State]) -> None:
        self.states = list(states)
        losses = [Loss(state.experiment.model, state.experiment.objective) for state in states]
        self.sizes = [state.experiment.model.latent.code_size for state in states]
        self.largest = max(self.sizes)
        widest = losses[self.sizes.index(self.largest)]
        self.widest = widest.model.latent.decoder_inputs
        self.shapes = {name: p.shape for name, p in widest.named_parameters()}
        own = [dict(loss.named_parameters()) for loss in losses]
        same = [name for name in self.shapes if len({each[name].shape for each in own}) == 1]
        self.members = [[each[name] for name in same] for each in own]
        stacked = _stacked([{name: each[name] for name in same} for each in own])
        self.filled = [name for name in self.shapes if name not in stacked]
        self.whole: list[Tensor] = [tensor.requires_grad_() for tensor in stacked.values()]
        self.leaves = self.whole + [each[name] for name in self.filled for each in own]
        buffers = _stacked([dict(loss.named_buffers()) for loss in losses])
        self.buffers = list(buffers.values())
        self.names = [*stacked, *self.filled, *buffers]
        self.optimizers, self.merged = _joint(states)
        self.gradient: Gradient | None = None
        self.function = vmap(lambda tensors, *given: functional_call(widest, tensors, given))

    def loss(
        self,
        leaves: Sequence[Tensor],
        buffers: Sequence[Tensor],
        draws: StepInputs,
        schedule: Mapping[str, Any],
    ) -> tuple[Tensor, Tensor]:
        """The sum, and the rows [M, 1 + terms]; draws and schedule have the axis M, too."""
        n = len(self.states)
        whole, rest = leaves[: len(self.whole)], leaves[len(self.whole) :]
        filled = [
            self._filled_up(rest[i * n : (i + 1) * n], self.shapes[name])
            for i, name in enumerate(self.filled)
        ]
        tensors = dict(zip(self.names, (*whole, *filled, *buffers), strict=True))
        losses, rows = self.function(tensors, draws, dict(schedule))
        return losses.sum(), rows

    def _filled_up(self, tensors: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
        """Each member's tensor with the `shape` of the largest code, stacked."""
        each = zip(tensors, self.sizes, strict=True)
        return torch.stack([pad_latent(tensor, size, self.largest, shape) for tensor, size in each])

    def dials(self) -> StepSchedule:
        each = [state.experiment.dials(state.step) for state in self.states]
        like = self.leaves[0]
        values = {name: beside(like, [one.objective[name] for one in each]) for name in each[0].objective}
        return StepSchedule([one.learning_rate for one in each], values)

    def gather(self, indices: Tensor) -> list[Tensor]:
        images = [state.experiment.data.train.images for state in self.states]
        return [own.index_select(0, index) for own, index in zip(images, indices, strict=True)]

    def update(self, batch: Batch, dials: StepSchedule) -> Tensor:
        """Of each member on its own stored images [B, D]. The order within a member is that of
        `vae_cli.engine.state.update`, which it equals."""
        self.set_learning_rate(dials.learning_rate)
        drawn = [draw(state, images) for state, images in zip(self.states, batch, strict=True)]
        inputs, x, noise = zip(*drawn, strict=True)
        filled = self._filled_up(noise, (*noise[0].shape[:-1], self.widest))
        draws = StepInputs(torch.stack(inputs), torch.stack(x), filled)
        rows = (self.gradient or self._eagerly)(draws, dials)
        self._hand_out_gradients()
        for state in self.states:
            clip(state)
        for optimizer in self.optimizers:
            optimizer.step()
        return rows

    def set_learning_rate(self, rates: Sequence[float] | Tensor) -> None:
        for state, rate in zip(self.states, rates, strict=True):
            set_learning_rate(state.experiment.optimizer, rate)
        for group, first in self.merged:
            group["lr"] = rates[first]

    def _eagerly(self, draws: StepInputs, dials: StepSchedule) -> Tensor:
        loss, rows = self.loss(self.leaves, self.buffers, draws, dials.objective)
        for leaf in self.leaves:
            leaf.grad = None
        loss.backward()
        return rows

    def _hand_out_gradients(self) -> None:
        gradients = [leaf.grad for leaf in self.whole]
        each = [[None] * len(self.states) if g is None else g.unbind(0) for g in gradients]
        for own, of_member in zip(self.members, zip(*each, strict=True), strict=True):
            for parameter, gradient in zip(own, of_member, strict=True):
                parameter.grad = gradient


def _stacked(members: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """name → [M, …]; the members' tensors become its views."""
    stacked = {name: torch.stack([each[name].detach() for each in members]) for name in members[0]}
    for m, own in enumerate(members):
        for name, tensor in own.items():
            tensor.data = stacked[name][m]
    return stacked


class _States(dict[Tensor, dict[str, Any]]):
    """Looks each parameter's state up, and makes it, in the optimizer that owns it."""

    def __init__(self, owner: dict[Tensor, torch.optim.Optimizer]) -> None:
        super().__init__()
        self.owner = owner

    def __missing__(self, parameter: Tensor) -> dict[str, Any]:
        return self.owner[parameter].state[parameter]


def _joint(states: Sequence[State]) -> tuple[list[torch.optim.Optimizer], list[tuple[dict[str, Any], int]]]:
    """One optimizer of each class that steps the parameters of all, with their own states: what `step` costs besides its
    kernels is paid once. Members of equal settings and learning rate have one group; also returned are the groups,
    each with the member whose learning rate is its."""
    joint: list[torch.optim.Optimizer] = []
    merged: list[tuple[dict[str, Any], int]] = []
    for kind in dict.fromkeys(type(state.experiment.optimizer) for state in states):
        own = [
            (m, s.experiment.optimizer) for m, s in enumerate(states) if type(s.experiment.optimizer) is kind
        ]
        groups: dict[str, tuple[dict[str, Any], int]] = {}
        for m, optimizer in own:
            for group in optimizer.param_groups:
                settings = {key: value for key, value in group.items() if key not in ("params", "lr")}
                parts, step = states[m].experiment, states[m].step
                same = repr((settings, parts.settings.learning_rate, parts.decay, parts.total_steps, step))
                groups.setdefault(same, ({**group, "params": []}, m))[0]["params"].extend(group["params"])
        one = copy.copy(own[0][1])
        one.param_groups = [group for group, _ in groups.values()]
        one.state = _States(
            {p: each for _, each in own for group in each.param_groups for p in group["params"]}
        )  # type: ignore[assignment]  # torch says defaultdict and needs a dict
        joint.append(one)
        merged += groups.values()
    return joint, merged


def pad_latent(tensor: Tensor, size: int, largest: int, shape: Sequence[int]) -> Tensor:
    """Zeros for the units that a code of `size` lacks of `largest`, along each axis that is shorter than `shape`; such
    an axis holds one number a unit, or several blocks of them (means, then log_stds)."""
    for axis, (has, wanted) in enumerate(zip(tensor.shape, shape, strict=True)):
        if has != wanted:
            blocks = tensor.unflatten(axis, (has // size, size))
            zeros = blocks.new_zeros((*blocks.shape[: axis + 1], largest - size, *blocks.shape[axis + 2 :]))
            tensor = torch.cat([blocks, zeros], axis + 1).flatten(axis, axis + 1)
    return tensor


def room(state: State) -> tuple[int, int, int]:
    """How many members like this one fit beside what is in memory, the bytes of each, and the bytes that are free.

    Each has its parameters five times (values, gradients, two of the optimizer, and a copy while another leaves) and
    twice what one forward pass keeps for the backward pass, which is measured."""
    parts = state.experiment
    loss = Loss(parts.model, copy.deepcopy(parts.objective))  # its moving averages stay as they are
    like, kept = next(parts.model.parameters()), [0]

    def count(tensor: Tensor) -> Tensor:
        kept[0] += tensor.nbytes
        return tensor

    x = like.new_zeros(parts.settings.batch_size, parts.data.train.images.shape[1])
    noise = like.new_zeros(parts.objective.samples, len(x), parts.model.latent.decoder_inputs)
    with saved_tensors_hooks(count, lambda tensor: tensor):
        loss(StepInputs(x, x, noise), {name: like.new_ones(()) for name in parts.objective.schedule(0)})
    each = 5 * sum(p.nbytes for p in parts.parameters) + 2 * kept[0]
    free = _free(like.device)
    return max(1, int(SHARE * free / each)), each, free


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    lines = Path("/proc/meminfo").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
