"""A search's study: its trials are what was tried and what came out, members' folders the trained models."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vae_cli.config.schema.keys import call_keys
from vae_cli.runs.differing import setting_text
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.folder import SweepFolder
from vae_cli.sweeps.summary import earlier_failure

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

AGAIN = "again"  # in a trial's system attributes: the number of the trial whose parameters it repeats

Folders = Mapping[frozenset[str], RunFolder]  # members by their overrides


def has_begun(study: "Study", sweep: Path) -> bool:
    """Whether anything came out, or may: a member that could not even be composed has no folder."""
    from optuna.trial import TrialState

    complete = (TrialState.COMPLETE,)
    return bool(study.get_trials(deepcopy=False, states=complete) or _members(sweep))


def repeat(study: "Study", sweep: Path, retry_failed: bool) -> int:
    """Queue once more what was begun and has not come to its end, with the very same parameters, so that the member's
    folder is the same. How many trials are done."""
    from optuna.trial import TrialState, create_trial

    trials, folders, done = study.get_trials(deepcopy=False), _members(sweep), 0
    repeated = {trial.system_attrs.get(AGAIN) for trial in trials}
    for trial in trials:
        if trial.state == TrialState.WAITING:
            continue
        if trial.state == TrialState.COMPLETE:
            done += 1
        elif trial.number not in repeated:
            folder = _member(trial, folders)
            parameters = trial.params or trial.system_attrs.get("fixed_params")
            if folder and not retry_failed and earlier_failure(folder):
                done += 1
            elif parameters:
                attributes = {"fixed_params": parameters, AGAIN: trial.number}
                study.add_trial(create_trial(state=TrialState.WAITING, system_attrs=attributes))
        if trial.state == TrialState.RUNNING:  # in a process that is gone
            study.tell(trial.number, state=TrialState.FAIL)
    return done


def show(study: "Study", sweep: Path, figures: list[str], n_trials: int) -> bool:
    """Print what the search has found and where it lies. Whether there is anything."""
    from optuna.trial import TrialState

    trials, folders = study.get_trials(deepcopy=False), _members(sweep)
    repeated = {trial.system_attrs.get(AGAIN) for trial in trials}
    ended = [trial for trial in trials if trial.state.is_finished() and trial.number not in repeated]
    failed = sum(trial.state == TrialState.FAIL for trial in ended)
    said = f"search: {len(ended)} of {max(n_trials, len(ended))} trials" + (
        f", {failed} without a figure" if failed else ""
    )
    if not (best := sorted(study.best_trials, key=lambda trial: trial.values)):
        print(f"{said}; none has come to a figure")
        return False
    what = "the Pareto front" if len(figures) > 1 else "the best"
    print(f"{said}; {what} by validation {', '.join(figures)}:")
    for trial in best if len(figures) > 1 else best[:1]:
        values = " ".join(f"{value:10.2f}" for value in trial.values)
        settings = "  ".join(f"{key}={setting_text(value)}" for key, value in trial.params.items())
        folder = _member(trial, folders)
        print(f"  {values}  {settings}" + (f"  {os.path.relpath(folder.path)}" if folder else ""))
    return True


def _members(sweep: Path) -> Folders:
    found = {}
    for folder in SweepFolder(sweep).members():
        if folder.overrides_file.exists():
            found[frozenset(filter(_tells, folder.overrides()))] = folder
    return found


def _member(trial: "FrozenTrial", folders: Folders) -> RunFolder | None:
    """The sweeper keeps the keys that it did not search over as the trial's attributes."""
    overrides = [f"{key}={value}" for key, value in {**trial.params, **trial.user_attrs}.items()]
    return folders.get(frozenset(filter(_tells, overrides)))


def _tells(override: str) -> bool:
    """Whether it belongs to the member and not to one call."""
    return override.partition("=")[0] not in call_keys()
