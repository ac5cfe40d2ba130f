"""One training step, the specification: a function of (state, images). The rest of this room computes it faster."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, get_total_norm

from vae_cli.engine.experiment import Experiment, StepSchedule
from vae_cli.engine.state import State
from vae_cli.objectives.contract import Terms


class StepInputs(NamedTuple):
    """What a step computes with, once everything random is drawn."""

    inputs: Tensor  # [B, D], what the encoder sees
    x: Tensor  # [B, D], the target
    noise: Tensor  # [rows, B, V], the noise of the code


# writes .grad of the parameters, returns the step metrics
Gradient = Callable[[StepInputs, StepSchedule], Tensor]


def draw(state: State, images: Tensor) -> StepInputs:
    """Draws the inputs of one step on stored `images` [B, D] with the state's generator."""
    experiment = state.experiment
    like = next(experiment.model.parameters())
    x = experiment.data.targets(images, state.generator, like.dtype)
    inputs = experiment.corruption(x, state.generator)
    noise = experiment.model.latent.noise((experiment.objective.rows, len(x)), state.generator, like)
    return StepInputs(inputs, x, noise)


def update(
    state: State, images: Tensor, step_schedule: StepSchedule, gradient: Gradient | None = None
) -> Tensor:
    """Updates the parameters once, on stored `images` [B, D]; returns the step metrics [1 + terms].

    It counts no step, never waits for the device, and never branches on the content of a tensor, so that it can be
    captured and replayed. `gradient` replaces `eager_gradient`.
    """
    experiment = state.experiment
    set_learning_rate(experiment.optimizer, step_schedule.learning_rate)
    step_inputs = draw(state, images)
    metrics = (
        gradient(step_inputs, step_schedule)
        if gradient
        else eager_gradient(experiment, step_inputs, step_schedule)
    )
    clip(state)
    for optimizer in experiment.optimizers:
        optimizer.step()
    return metrics


def train_step(state: State, images: Tensor) -> Tensor:
    """Makes and counts the state's next step; returns its metrics [1 + terms]."""
    metrics = update(state, images, state.experiment.step_schedule(state.step))
    state.step += 1
    return metrics


def eager_gradient(experiment: Experiment, step_inputs: StepInputs, step_schedule: StepSchedule) -> Tensor:
    """Writes the gradient of the batch's mean loss to the parameters; returns the step metrics."""
    terms = experiment.objective(experiment.model, *step_inputs, step_schedule.objective)
    for optimizer in experiment.optimizers:
        optimizer.zero_grad()
    minimized(terms).backward()
    return step_metrics(terms, experiment.objective.terms)


def minimized(terms: Terms) -> Tensor:
    """The scalar to differentiate: the loss for the model, and beside it what trains the estimator's own parameters. No
    parameter gets a gradient from both."""
    return (terms.loss if terms.control is None else terms.loss + terms.control).mean()


def step_metrics(terms: Terms, names: Sequence[str]) -> Tensor:
    """[1 + terms]: the batch's means of the loss and of the terms with these names."""
    return torch.stack([terms.loss.detach(), *(terms.reported[name] for name in names)]).mean(-1)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float | Tensor) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip(state: State) -> None:
    """Clips the norm of the gradient to `gradient_clip_norm`, if there is one."""
    if (most := state.experiment.config.gradient_clip_norm) is not None:
        state.gradient_norm = clip_grad_norm_(state.experiment.parameters, most)


def gradient_norm(state: State) -> Tensor:
    """The norm of the last step's gradient over all parameters, before it was clipped."""
    if state.experiment.config.gradient_clip_norm is not None:
        return state.gradient_norm
    return get_total_norm([p.grad for p in state.experiment.parameters if p.grad is not None])


def means(names: Sequence[str], sums: list[float]) -> dict[str, float]:
    """The means of the step metrics with these names, and the elbo if rate and distortion are among them. `sums` has their
    sums over examples, then the number of examples."""
    terms = {name: total / sums[-1] for name, total in zip(names, sums[:-1], strict=True)}
    if {"rate", "distortion"} <= terms.keys():
        terms = {"loss": terms["loss"], "elbo": -(terms["rate"] + terms["distortion"]), **terms}
    return terms
