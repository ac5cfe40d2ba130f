"""The gradient of a body's loss without Python between its operations: recorded, or compiled."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from vae_cli.engine.state import StepInputs, StepSchedule
from vae_cli.engine.trainable import Trainable, beside


class TracedGradient:
    """The loss and its gradient as a flat list of tensor operations, which are recorded once and then called one after
    another: the same kernels in the same order, hence the same bits, without modules, vmap and autograd between them."""

    def __init__(self, body: Trainable) -> None:
        self.body = body
        self.program: Callable[..., Sequence[Tensor]] | None = None

    def __call__(self, draws: StepInputs, dials: StepSchedule) -> Tensor:
        schedule = _tensors(self.body, dials)
        given = (*self.body.leaves, *self.body.buffers, *draws, *schedule.values())
        if self.program is None:
            self.program = _record(self.body, given, list(schedule))
        with torch.no_grad():
            rows, *gradients = self.program(*given)
        for leaf, gradient in zip(self.body.leaves, gradients, strict=True):
            leaf.grad = gradient
        return rows


def _tensors(body: Trainable, dials: StepSchedule) -> dict[str, Tensor]:
    """The objective's scheduled values as tensors: a program must not contain their values of one step."""
    like = body.leaves[0]
    return {
        name: value if isinstance(value, Tensor) else beside(like, value)
        for name, value in dials.objective.items()
    }


def _record(
    body: Trainable, given: Sequence[Tensor], scheduled: Sequence[str]
) -> Callable[..., Sequence[Tensor]]:
    from torch.fx.experimental.proxy_tensor import make_fx

    n, m = len(body.leaves), len(body.leaves) + len(body.buffers)

    def loss_and_gradient(*tensors: Tensor) -> list[Tensor]:
        leaves = [tensor.detach().requires_grad_() for tensor in tensors[:n]]
        inputs, x, noise, *values = tensors[m:]
        schedule = dict(zip(scheduled, values, strict=True))
        loss, rows = body.loss(leaves, tensors[n:m], StepInputs(inputs, x, noise), schedule)
        # fused optimizers read gradients as if they lay in memory as the parameters do
        return [rows, *(gradient.contiguous() for gradient in torch.autograd.grad(loss, leaves))]

    with torch.enable_grad():
        program = make_fx(loss_and_gradient)(*(tensor.detach().clone() for tensor in given))
    aten = torch.ops.aten
    for node in program.graph.nodes:
        if node.target in (aten.detach.default, aten.alias.default):  # of use to autograd alone
            node.replace_all_uses_with(node.args[0])
            program.graph.erase_node(node)
    program.recompile()
    return program.forward


class CompiledGradient:
    """The loss and its gradient by `torch.compile`. StepSchedule are tensors, so that schedules compile nothing anew.

    Buffers change after the backward pass: a compiled one may read what it needs of them again, and would find them
    changed.
    """

    def __init__(self, body: Trainable) -> None:
        self.body = body
        self.loss = torch.compile(self._loss, dynamic=False)

    def _loss(self, *given: Any) -> tuple[Tensor, Tensor, list[Tensor]]:
        leaves, buffers, *others = given
        changed = [buffer.clone() for buffer in buffers]
        return *self.body.loss(leaves, changed, *others), changed

    def __call__(self, draws: StepInputs, dials: StepSchedule) -> Tensor:
        body = self.body
        loss, rows, changed = self.loss(body.leaves, body.buffers, draws, _tensors(body, dials))
        for leaf in body.leaves:
            leaf.grad = None
        loss.backward()
        for buffer, new in zip(body.buffers, changed, strict=True):
            buffer.copy_(new)
        return rows
