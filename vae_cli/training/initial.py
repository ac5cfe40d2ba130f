"""The state with which a call begins to train: that of a new run, or of the run's last checkpoint."""

import math
from typing import Any

from torch import Generator

from vae_cli.build import build
from vae_cli.config.schema.run import RunConfig
from vae_cli.data.dataset import Dataset
from vae_cli.engine.state import State
from vae_cli.errors import UserError
from vae_cli.runs import checkpoint
from vae_cli.runs.files import is_there
from vae_cli.runs.folder import RunFolder


def initial_state(config: RunConfig, folder: RunFolder, loaded: dict[str, Dataset] | None) -> State:
    """Build the experiment, and load the last checkpoint of `folder` if there is one. `loaded` keeps data sets for later
    calls.

    Raises UserError where the checkpoint cannot be read, is of another model, was trained on other data, or has more
    steps than `config.epochs`. Writes nothing.
    """
    last = folder.last
    saved = checkpoint.load(last, config.plain()) if last.exists() else None  # before seconds of building
    if saved is not None:
        _refuse_damaged_best(folder, config)
    experiment = build(config, loaded)
    state = State(experiment, Generator(experiment.device).manual_seed(config.seed))
    if saved is not None:
        _load(state, saved, folder)
        _refuse_other_data(state, saved["data"].get("checksum"), folder)
        _refuse_fewer_epochs(state, folder)
    return state


def _load(state: State, saved: dict[str, Any], folder: RunFolder) -> None:
    try:
        state.load_state_dict(saved)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:150]
        raise UserError(f"{folder.last} does not fit its run: {reason}") from error


def _refuse_damaged_best(folder: RunFolder, config: RunConfig) -> None:
    """It may be the state that is tested at the end."""
    if is_there(folder.best):
        advice = "; remove it to go on without it: the best of the later states is then tested"
        checkpoint.load(folder.best, config.plain(), advice)


def without_lost_best(state: State, folder: RunFolder) -> str | None:
    """Where best.pt has been lost, let the next validation write a new one, and say so."""
    if state.best == -math.inf or folder.best.exists():
        return None
    state.best, state.stale = -math.inf, 0
    return f"{folder.best} is lost: the best of the states from step {state.step:,} on will be tested"


def _refuse_other_data(state: State, checksum_before: str | None, folder: RunFolder) -> None:
    """`checksum_before` is that of the data that the run was trained on; checkpoints of earlier versions have none."""
    data = state.experiment.data
    if checksum_before not in (None, data.checksum):
        raise UserError(
            f"data={state.experiment.config.data.name} is not the data that {folder} was trained on: its images or labels "
            "have changed, and its best validation result with them; start a new run"
        )


def _refuse_fewer_epochs(state: State, folder: RunFolder) -> None:
    if state.step > state.experiment.total_steps:
        trained = state.step / state.experiment.steps_per_epoch
        raise UserError(
            f"epochs={state.experiment.config.epochs} is less than the {trained:g} epochs that {folder} has trained; "
            f"allowed is at least {math.ceil(trained)}"
        )
