"""The gradient of a loss with little or no Python between its operations: traced or compiled."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_cli.engine.devices import to_device
from vae_cli.engine.experiment import StepSchedule
from vae_cli.engine.step import StepInputs
from vae_cli.engine.trainable import Trainable
from vae_cli.errors import RunFailed, UserError


class TracedGradient:
    """The loss and its gradient, traced once into a flat list of tensor operations, which each step then executes. They are
    the same kernels in the same order as the eager ones, hence the same bits, without modules, vmap and autograd."""

    def __init__(self, trainable: Trainable) -> None:
        self.trainable = trainable
        self.program: Callable[..., Sequence[Tensor | None]] | None = None

    def __call__(self, step_inputs: StepInputs, step_schedule: StepSchedule) -> Tensor:
        trainable = self.trainable
        scheduled = _as_tensors(trainable, step_schedule)
        arguments = (*trainable.leaves, *trainable.buffers, *step_inputs, *scheduled.values())
        if self.program is None:
            self.program = _trace(trainable, arguments, list(scheduled))
        with torch.no_grad():
            metrics, *gradients = self.program(*arguments)
        for leaf, gradient in zip(trainable.leaves, gradients, strict=True):
            leaf.grad = gradient
        assert metrics is not None
        return metrics


def _as_tensors(trainable: Trainable, step_schedule: StepSchedule) -> dict[str, Tensor]:
    """The objective's scheduled values as tensors, because a program must not contain the values of one step."""
    like = trainable.leaves[0]
    return {
        name: value if isinstance(value, Tensor) else to_device(value, like)
        for name, value in step_schedule.objective.items()
    }


def _trace(
    trainable: Trainable, arguments: Sequence[Tensor], scheduled: Sequence[str]
) -> Callable[..., Sequence[Tensor | None]]:
    from torch.fx.experimental.proxy_tensor import make_fx

    n, m = len(trainable.leaves), len(trainable.leaves) + len(trainable.buffers)

    def loss_and_gradient(*tensors: Tensor) -> list[Tensor | None]:
        leaves = [tensor.detach().requires_grad_() for tensor in tensors[:n]]
        inputs, x, noise, *values = tensors[m:]
        schedule = dict(zip(scheduled, values, strict=True))
        loss, metrics = trainable.loss(leaves, tensors[n:m], StepInputs(inputs, x, noise), schedule)
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
        # fused optimizers assume that a gradient has the memory layout of its parameter
        return [metrics, *(None if g is None else g.contiguous() for g in gradients)]

    with torch.enable_grad():
        program = make_fx(loss_and_gradient)(*(tensor.detach().clone() for tensor in arguments))
    aten = torch.ops.aten
    for node in program.graph.nodes:
        if node.target in (aten.detach.default, aten.alias.default):  # only autograd needs them
            node.replace_all_uses_with(node.args[0])
            program.graph.erase_node(node)
    program.recompile()
    return program.forward


class CompiledGradient:
    """The loss and its gradient by `torch.compile`. Scheduled values are tensors, so that no schedule causes another
    compilation.

    Buffers are written after the backward pass, because a compiled backward pass may read them again.
    """

    def __init__(self, trainable: Trainable) -> None:
        """Raises UserError where there is no compiler."""
        use_private_cache()
        if trainable.leaves[0].device.type == "cpu":
            _refuse_without_compiler()
        self.trainable = trainable
        self.loss = torch.compile(self._loss, dynamic=False)

    def _loss(
        self, leaves: Sequence[Tensor], buffers: Sequence[Tensor], *others: Any
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        changed = [buffer.clone() for buffer in buffers]
        return *self.trainable.loss(leaves, changed, *others), changed

    def __call__(self, step_inputs: StepInputs, step_schedule: StepSchedule) -> Tensor:
        """Raises RunFailed where the compiler fails, which shows at the first step."""
        trainable = self.trainable
        scheduled = _as_tensors(trainable, step_schedule)
        try:
            loss, metrics, changed = self.loss(trainable.leaves, trainable.buffers, step_inputs, scheduled)
            for leaf in trainable.leaves:
                leaf.grad = None
            loss.backward()
        except torch._dynamo.exc.TorchDynamoException as error:  # also the errors of its backend
            raise RunFailed(_without_compiler(getattr(error, "inner_exception", error))) from error
        for buffer, new in zip(trainable.buffers, changed, strict=True):
            buffer.copy_(new)
        return metrics


def use_private_cache() -> None:
    """Let torch keep its compiled code in a folder of this user. It executes what it finds there, and by itself it looks into
    the system's temporary directory, where anyone may have made that folder before."""
    if os.environ.get("TORCHINDUCTOR_CACHE_DIR"):
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "vae-cli" / "torchinductor"
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:  # for example a home that cannot be written to
        cache = Path(tempfile.mkdtemp(prefix="vae-cli-"))
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache)


def _refuse_without_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, OSError) as error:
        raise UserError(_without_compiler(error)) from error


def _without_compiler(error: BaseException) -> str:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return (
        f"this step cannot be compiled: {reason}; compilation needs a C++ compiler (g++, or what the environment "
        "variable CXX names), runtime=eager needs none"
    )
