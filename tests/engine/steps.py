"""Small runs in float64, their steps by a runner, and the steps that the specification makes."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from conftest import SMALL_MODEL, SMALL_RECTANGLES, SUBSET, configured, later_counts
from models.tables import PAIRS, ROWS

from vae_cli.build import build
from vae_cli.config.schema.run import RunConfig
from vae_cli.data.batches import epoch_order
from vae_cli.engine.runners import Runner
from vae_cli.engine.state import State
from vae_cli.engine.step import train_step
from vae_cli.engine.trainable import SingleRun

STEPS = 2 * 13 + 5  # an epoch has 13 batches, the last of 4 images
EACH_LATENT = [
    ("gaussian", "pathwise"), ("bernoulli", "concrete"), ("categorical", "straight_through_gumbel_softmax"),
    ("deterministic", "pathwise"),
]  # fmt: skip
LIKELIHOODS = ["bernoulli", "gaussian", "unit_gaussian", "continuous_bernoulli"]
ALL_SCHEDULES = (
    "schedule=cosine", "schedule.warmup_steps=5", "objective.warmup_steps=9", "objective.cycle_steps=11",
    "latent=bernoulli", "estimator.anneal_rate=0.05", "gradient_clip_norm=3",
)  # fmt: skip
LEARNED_PRIOR = (
    "latent=bernoulli", "latent.prior=learned", "latent.prior_lr=0.1", "latent.signed=true", "network.inputs=centered",
    "network.activation=leaky_relu", "network.slope=0.3", "estimator=disarm", "objective.samples=2",
    "objective.kl=sampled",
)  # fmt: skip
OTHERS = {
    "all schedules": ALL_SCHEDULES,
    "several samples, free bits": ("objective.samples=3", "objective.free_bits=0.05"),
    "convolutions": ("network=conv", "network.channels=[4,8]", "network.hidden=12"),
    "learned prior": LEARNED_PRIOR,
    "corruption": ("corruption=salt_and_pepper", "corruption.fraction=0.3"),
    "dynamic binarization": ("data=mnist", f"data.root={SUBSET}", "data.binarization=dynamic", "data.limit=100",
                             "data.validation_size=100"),
}  # fmt: skip
OPTIMIZERS = {
    "adamw": ("optimizer=adamw",),
    "sgd": ("optimizer=sgd", "optimizer.lr=0.001", "schedule=inverse", "schedule.rate=0.1"),
    "rmsprop": ("optimizer=rmsprop", "optimizer.lr=0.001"),
    "adagrad": ("optimizer=adagrad",),
}  # fmt: skip


def of_pair(latent: str, estimator: str) -> tuple[str, ...]:
    return f"latent={latent}", f"estimator={estimator}", *ROWS[estimator].overrides(units=3)


def _rows(pairs: list[tuple[str, str]], likelihoods: list[str]) -> list[Any]:
    return [
        pytest.param((*of_pair(z, e), f"likelihood={x}"), id=f"{z}-{e}-{x}")
        for z, e in pairs
        for x in likelihoods
    ]


_OTHER_ROWS = [pytest.param(overrides, id=name) for name, overrides in OTHERS.items()]
_OPTIMIZER_ROWS = [pytest.param(overrides, id=name) for name, overrides in OPTIMIZERS.items()]
TABLE = _rows(PAIRS, LIKELIHOODS[:1]) + _rows(EACH_LATENT, LIKELIHOODS[1:]) + _OTHER_ROWS + _OPTIMIZER_ROWS
# To trace or compile a gradient takes seconds: every pair and every likelihood, but not every combination. The optimizer
# is outside the gradient.
GRADIENT_TABLE = _rows(PAIRS, LIKELIHOODS[:1]) + _rows(EACH_LATENT[:1], LIKELIHOODS[1:]) + _OTHER_ROWS


# One estimator of each kind of arithmetic, for what takes seconds.
KINDS = (
    "pathwise",
    "dreg",
    "concrete",
    "straight_through_gumbel_softmax",
    "reinforce",
    "disarm",
    "exact",
    "muprop",
    "rebar",
)
PAIRS_OF_KINDS = [pair for pair in PAIRS if pair[1] in KINDS]
COMPILED_TABLE = _rows([pair for pair in PAIRS_OF_KINDS if pair[1] != "rebar"], LIKELIHOODS[:1]) + _OTHER_ROWS


def small(*overrides: str) -> RunConfig:
    images = () if "data=mnist" in overrides else (*SMALL_RECTANGLES, "data.train_size=100")
    return configured(*later_counts(*images, *SMALL_MODEL, "precision=float64", *overrides))


def new_state(*overrides: str) -> State:
    config = small(*overrides)
    return State(build(config), torch.Generator().manual_seed(config.seed))


def single_run(*overrides: str) -> SingleRun:
    return SingleRun(new_state(*overrides))


def execute(steps: Callable[[], None], states: Sequence[State]) -> Callable[[], None]:
    """Replaces a capture on a CPU: a replay executes the steps."""
    return steps


def make_steps(runner: Runner, state: State, steps: int, log_every: int = 1000) -> torch.Tensor:
    """The metrics of a single run's steps up to the step `steps`. Its batches end at each log line and there."""
    found, experiment = [], state.experiment
    while state.step < steps:
        epoch, position = divmod(state.step, experiment.steps_per_epoch)
        order = epoch_order(len(experiment.data.train.images), 0, epoch, experiment.device)
        order = order[position * experiment.config.batch_size :]
        for batch in runner.batches(
            order, lambda: min(log_every - state.step % log_every, steps - state.step)
        ):
            found.append(runner(batch))
            if state.step == steps:
                break
    return torch.cat(found)


@functools.cache
def specified(*overrides: str) -> tuple[torch.Tensor, dict[str, Any]]:
    """The metrics of the first STEPS steps by `train_step`, and what these steps have changed."""
    state, found = new_state(*overrides), []
    experiment = state.experiment
    images, batch_size = experiment.data.train.images, experiment.config.batch_size
    while state.step < STEPS:
        epoch, position = divmod(state.step, experiment.steps_per_epoch)
        order = epoch_order(len(images), 0, epoch, experiment.device)
        found.append(train_step(state, images[order[position * batch_size : (position + 1) * batch_size]]))
    return torch.stack(found), changed(state)


def changed(state: State) -> dict[str, Any]:
    """What a step changes."""
    saved = state.state_dict()
    return {
        key: saved[key] for key in ("model", "objective", "optimizer", "own_optimizers", "generator", "step")
    }
