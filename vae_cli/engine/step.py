"""One training step: a function of (state, images). Everything else in this room computes the same step faster."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, get_total_norm

from vae_cli.engine.experiment import Experiment, StepSchedule
from vae_cli.engine.state import State
from vae_cli.objectives.contract import Terms


class StepInputs(NamedTuple):
    """Everything random in a step."""

    inputs: Tensor  # [B, D], what the encoder sees
    x: Tensor  # [B, D], the target
    noise: Tensor  # [S, B, V], of the code


Gradient = Callable[
    [StepInputs, StepSchedule], Tensor
]  # writes .grad of the parameters, returns the step metrics


def draw(state: State, images: Tensor) -> StepInputs:
    """The inputs of one step on stored `images` [B, D], from the state's generator."""
    parts = state.experiment
    like = next(parts.model.parameters())
    x = parts.data.targets(images, state.generator, like.dtype)
    inputs = parts.corruption(x, state.generator)
    noise = parts.model.latent.noise((parts.objective.samples, len(x)), state.generator, like)
    return StepInputs(inputs, x, noise)


def update(state: State, images: Tensor, schedule: StepSchedule, gradient: Gradient | None = None) -> Tensor:
    """One update on stored `images` [B, D]; returns its metrics [1 + terms].

    It counts nothing, never waits for the device, and never branches on the content of a tensor, so that it can be
    captured and replayed. `gradient` computes the gradient in another way than `eager_gradient`.
    """
    parts = state.experiment
    set_learning_rate(parts.optimizer, schedule.learning_rate)
    inputs = draw(state, images)
    metrics = gradient(inputs, schedule) if gradient else eager_gradient(parts, inputs, schedule)
    clip(state)
    parts.optimizer.step()
    return metrics


def train_step(state: State, images: Tensor) -> Tensor:
    """The state's next step; returns its metrics [1 + terms]."""
    metrics = update(state, images, state.experiment.step_schedule(state.step))
    state.step += 1
    return metrics


def eager_gradient(parts: Experiment, inputs: StepInputs, schedule: StepSchedule) -> Tensor:
    """Writes the gradient of the batch's mean loss to the parameters; returns the step metrics."""
    terms = parts.objective(parts.model, *inputs, schedule.objective)
    parts.optimizer.zero_grad()
    terms.loss.mean().backward()
    return step_metrics(terms, parts.objective.terms)


def step_metrics(terms: Terms, names: Sequence[str]) -> Tensor:
    """The batch's means of the loss and of the terms with these names."""
    return torch.stack([terms.loss.detach(), *(terms.reported[name] for name in names)]).mean(-1)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float | Tensor) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip(state: State) -> None:
    """Clips the gradient's norm where the configuration asks for it."""
    if (most := state.experiment.config.gradient_clip_norm) is not None:
        state.gradient_norm = clip_grad_norm_(state.experiment.parameters, most)


def gradient_norm(state: State) -> Tensor:
    """The norm of the last step's gradient over all parameters, before it was clipped."""
    if state.experiment.config.gradient_clip_norm is not None:
        return state.gradient_norm
    return get_total_norm([p.grad for p in state.experiment.parameters if p.grad is not None])


def means(names: Sequence[str], sums: list[float]) -> dict[str, float]:
    """From the sums over examples of the step metrics with these names, and the number of examples: their means, and
    the elbo where rate and distortion are among them."""
    terms = {name: total / sums[-1] for name, total in zip(names, sums[:-1], strict=True)}
    if {"rate", "distortion"} <= terms.keys():
        terms = {"loss": terms["loss"], "elbo": -(terms["rate"] + terms["distortion"]), **terms}
    return terms
