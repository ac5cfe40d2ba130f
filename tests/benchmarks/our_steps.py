"""Endless training steps of our runs, with the batches that vae-train gives them."""

from collections.abc import Iterator

import torch
from hydra import compose, initialize_config_dir

from vae_cli.build import build
from vae_cli.config.compose import accept
from vae_cli.config.yaml_comments import config_folder
from vae_cli.data.batches import epoch_order
from vae_cli.data.dataset import Dataset
from vae_cli.engine.packed import PackedRuns
from vae_cli.engine.runtimes import Runtime
from vae_cli.engine.state import State
from vae_cli.engine.trainable import SingleRun

LOG_EVERY = 50  # steps; here a log line is always that far away


def new_states(overrides: list[str], runs: int = 1, loaded: dict[str, Dataset] | None = None) -> list[State]:
    """So many runs of one configuration with the seeds 0, 1, …; `loaded` as in `build`."""
    loaded = {} if loaded is None else loaded
    states = []
    for seed in range(runs):
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            experiment = build(accept(compose("config", [*overrides, f"seed={seed}"])), loaded)
        states.append(State(experiment, torch.Generator(experiment.device).manual_seed(seed)))
    return states


def endless_steps(states: list[State], runtime: Runtime) -> Iterator[None]:
    """Steps of one run, or of packed runs. Yields once for each step; a CUDA graph makes several at a time."""
    experiment, first = states[0].experiment, states[0]
    singles = [runtime(SingleRun(state)) for state in states]  # they give the batches
    runner = singles[0] if len(states) == 1 else runtime(PackedRuns(states))
    n, device = len(experiment.data.train.images), experiment.device
    while True:
        epoch = first.step // experiment.steps_per_epoch
        orders = [epoch_order(n, seed, epoch, device) for seed in range(len(states))]
        each = [
            single.batches(order, lambda: LOG_EVERY) for single, order in zip(singles, orders, strict=True)
        ]
        for batches in zip(*each, strict=True):
            metrics = runner(batches[0] if len(states) == 1 else list(batches))
            first.step_metrics = [metrics]  # as the trainer keeps them
            yield from [None] * len(metrics)
