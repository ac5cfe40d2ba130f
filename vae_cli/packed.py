"""Members of a sweep as one model: their parameters stacked, `vmap` of the loss, one backward pass of the sum.

The sum's gradient with respect to one member's parameters is that of its own loss alone, so that each takes the step
that it would take by itself, up to rounding. What is a member's own stays with it: its batch, its draws from its own
generator, its optimizer, its schedules. Members hence need the same shapes and the same code alone: see ITS_OWN.

Code sizes do not go into one group: units of padding would have to be masked in the noise, the KL and the decoder, every
member would cost as much as the largest, and its checkpoint would no longer be that of a solo run.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call, vmap

from vae_cli.model import VAE
from vae_cli.objective import ELBO
from vae_cli.state import Draws, State, clip, draw, row

SHARE = 0.8  # of the free memory that a group may fill


class Loss(nn.Module):
    """A model and its objective, as one function of all their tensors."""

    def __init__(self, model: VAE, objective: ELBO) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, draws: Draws, beta: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        """→ the loss that is minimized, and the row that is reported."""
        terms = self.objective(self.model, *draws, beta, temperature)
        return terms.loss.mean(), row(terms)


class Stack:
    """The tensors of M members as [M, …], which are their storage: each member's own are views of it, so that its
    evaluation, checkpoints and pictures see what it has come to."""

    def __init__(self, states: Sequence[State]) -> None:
        self.states = list(states)
        self.losses = [Loss(state.experiment.model, state.experiment.objective) for state in states]
        self.parameters = _stacked([dict(loss.named_parameters()) for loss in self.losses])
        self.buffers = _stacked([dict(loss.named_buffers()) for loss in self.losses])
        self.members = [list(loss.parameters()) for loss in self.losses]
        for stacked in self.parameters.values():
            stacked.requires_grad_()
        self.optimizers = _joint([state.experiment.optimizer for state in states])
        self.function = vmap(self._loss)

    def _loss(self, tensors: dict[str, Tensor], *arguments: Any) -> tuple[Tensor, Tensor]:
        return functional_call(self.losses[0], tensors, arguments)

    def step(self, batches: Sequence[Tensor]) -> list[Tensor]:
        """One update of each member on its own stored images [B, D]; their rows. The order within a member is that of
        `vae_cli.state.train_step`, which it equals."""
        states = self.states
        drawn = [draw(state, images) for state, images in zip(states, batches, strict=True)]
        draws = Draws(*(torch.stack(each) for each in zip(*drawn, strict=True)))
        like = next(iter(self.parameters.values()))
        beta = like.new_tensor([state.experiment.beta(state.step) for state in states])
        temperature = like.new_tensor([state.experiment.temperature(state.step) for state in states])
        losses, rows = self.function(self.parameters | self.buffers, draws, beta, temperature)
        for stacked in self.parameters.values():
            stacked.grad = None
        losses.sum().backward()
        self._hand_out_gradients()
        for state in states:
            clip(state)
        for optimizer in self.optimizers:
            optimizer.step()
        for state in states:
            state.step += 1
        return list(rows.unbind(0))

    def _hand_out_gradients(self) -> None:
        gradients = [stacked.grad for stacked in self.parameters.values()]
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


def _joint(optimizers: Sequence[torch.optim.Optimizer]) -> list[torch.optim.Optimizer]:
    """One optimizer of each class that steps the groups of all, with their own states and settings: what `step` costs
    besides its kernels is paid once, and members still differ in all their settings."""
    joint = []
    for kind in dict.fromkeys(type(optimizer) for optimizer in optimizers):
        own = [optimizer for optimizer in optimizers if type(optimizer) is kind]
        one = copy.copy(own[0])
        one.param_groups = [group for optimizer in own for group in optimizer.param_groups]
        one.state = _States({p: each for each in own for group in each.param_groups for p in group["params"]})  # type: ignore[assignment]  # torch says defaultdict and needs a dict
        joint.append(one)
    return joint


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
    noise = like.new_zeros(parts.settings.samples, len(x), parts.model.latent.code_size)
    with saved_tensors_hooks(count, lambda tensor: tensor):
        loss(Draws(x, x, noise), like.new_ones(()), like.new_ones(()))
    each = 5 * sum(p.nbytes for p in parts.model.parameters()) + 2 * kept[0]
    free = _free(like.device)
    return max(1, int(SHARE * free / each)), each, free


def _free(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    lines = Path("/proc/meminfo").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
