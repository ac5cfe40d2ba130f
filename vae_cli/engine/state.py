"""What changes while training, and the step that changes it: a function of (state, images)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from vae_cli.config.schema.run import RunConfig
from vae_cli.data.corruption import Corruption
from vae_cli.data.dataset import Dataset
from vae_cli.engine.learning_rate import Decay, learning_rate_factor
from vae_cli.models.vae import VAE
from vae_cli.objectives.contract import Objective, Terms

if TYPE_CHECKING:
    from vae_cli.engine.runtimes import Runtime

CARRIED = ("step", "seconds", "examples", "best", "stale", "epoch_sums")  # a State's plain values


class Settings(NamedTuple):
    """The plain numbers of a run; configs/config.yaml says what each means."""

    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    gradient_clip_norm: float | None
    log_every: int
    validate_every: int
    checkpoint_minutes: float
    checkpoint_epochs: int | None
    patience: int | None
    gradient_draws: int
    nll_samples: int


class StepSchedule(NamedTuple):
    """The scheduled values of one step: numbers, or tensors where a program must not contain their values. For a pack,
    one of each member."""

    learning_rate: Any
    objective: dict[str, Any]  # `Objective.schedule`


class Experiment(NamedTuple):
    """All parts of a run, built."""

    data: Dataset
    model: VAE
    objective: Objective
    optimizer: torch.optim.Optimizer
    decay: Decay
    corruption: Corruption
    runtime: "Runtime"
    settings: Settings
    config: RunConfig

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that the optimizer updates: the model's, the objective's and the estimator's."""
        return [*self.model.parameters(), *self.objective.parameters()]

    @property
    def step_metrics(self) -> tuple[str, ...]:
        """The names of what a step reports, in order."""
        return ("loss", *self.objective.terms)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.data.train.images) / self.settings.batch_size)

    @property
    def total_steps(self) -> int:
        return self.settings.epochs * self.steps_per_epoch

    def dials(self, step: int) -> StepSchedule:
        factor = learning_rate_factor(self.decay, step, self.total_steps)
        return StepSchedule(self.settings.learning_rate * factor, self.objective.schedule(step))


@dataclass
class State:
    """Everything that changes while training; a checkpoint holds all of it."""

    experiment: Experiment
    generator: Generator  # of every draw in a step: data, corruption, code
    step: int = 0
    seconds: float = 0.0  # of training, without validation
    examples: int = 0
    best: float = -math.inf  # of the monitored validation metric; its negative where lower is better
    stale: int = 0  # validations since the best
    # [steps, 1 + terms] each, of the steps since the last log line, on the device
    rows: list[Tensor] = field(default_factory=list)
    # of the last step, where it is clipped
    gradient_norm: Tensor = field(default_factory=lambda: torch.zeros(()))
    epoch_sums: list[float] = field(
        default_factory=list
    )  # of the step metrics over examples, and their number

    def __post_init__(self) -> None:
        self.epoch_sums = self.epoch_sums or [0.0] * (len(self.experiment.step_metrics) + 1)

    def state_dict(self) -> dict[str, Any]:
        parts = self.experiment
        return {
            "model": parts.model.state_dict(),
            "objective": parts.objective.state_dict(),
            "optimizer": parts.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "rows": torch.cat(self.rows) if self.rows else torch.empty(0, len(parts.step_metrics)),
            "data": {
                "shape": list(parts.data.shape),
                "scale": parts.data.scale,
            },  # what `vae_cli.load` must know
            **{name: getattr(self, name) for name in CARRIED},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        parts = self.experiment
        parts.model.load_state_dict(saved["model"])
        parts.objective.load_state_dict(saved["objective"])
        parts.optimizer.load_state_dict(saved["optimizer"])
        self.generator.set_state(saved["generator"])
        self.rows = [saved["rows"].to(parts.device)] if len(saved["rows"]) else []
        for name in CARRIED:
            setattr(self, name, saved[name])


class StepInputs(NamedTuple):
    """All that is random in a step: what the encoder sees [B, D], the target x [B, D], the code's noise [S, B, K]."""

    inputs: Tensor
    x: Tensor
    noise: Tensor


def draw(state: State, images: Tensor) -> StepInputs:
    """For one step on stored `images` [B, D], from the state's generator."""
    parts = state.experiment
    like = next(parts.model.parameters())
    x = parts.data.targets(images, state.generator, like.dtype)
    inputs = parts.corruption(x, state.generator)
    return StepInputs(
        inputs, x, parts.model.latent.noise((parts.objective.samples, len(x)), state.generator, like)
    )


def step_metrics(terms: Terms, names: Sequence[str]) -> Tensor:
    """The batch's means of the loss and of the terms with these names."""
    return torch.stack([terms.loss.detach(), *(terms.reported[name] for name in names)]).mean(-1)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float | Tensor) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def differentiate(parts: Experiment, draws: StepInputs, dials: StepSchedule) -> Tensor:
    """The gradient of the batch's mean loss, into the parameters; the row."""
    terms = parts.objective(parts.model, *draws, dials.objective)
    parts.optimizer.zero_grad()
    terms.loss.mean().backward()
    return step_metrics(terms, parts.objective.terms)


Differentiate = Callable[[Experiment, StepInputs, StepSchedule], Tensor]


def update(
    state: State, images: Tensor, dials: StepSchedule, differentiate: Differentiate = differentiate
) -> Tensor:
    """One update on stored `images` [B, D]; its row. Nothing here counts, waits for the device or asks what a tensor
    holds: what can be done to tensors alone can be captured, and done again."""
    parts = state.experiment
    set_learning_rate(parts.optimizer, dials.learning_rate)
    means = differentiate(parts, draw(state, images), dials)
    clip(state)
    parts.optimizer.step()
    return means


def train_step(state: State, images: Tensor, differentiate: Differentiate = differentiate) -> Tensor:
    """The state's next step, and its count."""
    means = update(state, images, state.experiment.dials(state.step), differentiate)
    state.step += 1
    return means


def clip(state: State) -> None:
    if (most := state.experiment.settings.gradient_clip_norm) is not None:
        state.gradient_norm = clip_grad_norm_(state.experiment.parameters, most)


def means(names: Sequence[str], sums: list[float]) -> dict[str, float]:
    """Sums over examples of the step metrics with these names, and the number of examples → means; with the elbo where
    rate and distortion are among them."""
    terms = {name: total / sums[-1] for name, total in zip(names, sums[:-1], strict=True)}
    if {"rate", "distortion"} <= terms.keys():
        terms = {"loss": terms["loss"], "elbo": -(terms["rate"] + terms["distortion"]), **terms}
    return terms


def gradient_norm(state: State) -> Tensor:
    """Over all parameters, of the last step's gradient, before it was clipped."""
    if state.experiment.settings.gradient_clip_norm is not None:
        return state.gradient_norm
    return get_total_norm([p.grad for p in state.experiment.parameters if p.grad is not None])
