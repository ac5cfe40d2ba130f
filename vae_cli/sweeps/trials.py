"""Matches the trials of a search with its members: a trial holds parameters and a result, a member's folder holds the
model."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vae_cli.config.schema.keys import call_keys
from vae_cli.errors import UserError
from vae_cli.runs.differing import setting_text
from vae_cli.runs.discovery import run_folders
from vae_cli.runs.folder import RunFolder
from vae_cli.sweeps.status import earlier_failure

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

REPEATS = "again"  # a trial's system attribute: the number of the trial whose parameters it repeats

FolderByOverrides = Mapping[frozenset[str], RunFolder]  # of the members


def has_begun(study: "Study", sweep: Path) -> bool:
    """Whether the study has a result, or a member that may still have one. A member whose configuration could not be
    composed has no folder."""
    from optuna.trial import TrialState

    complete = (TrialState.COMPLETE,)
    return bool(study.get_trials(deepcopy=False, states=complete) or _members(sweep))


def requeue_unfinished(study: "Study", sweep: Path, retry_failed: bool) -> int:
    """Queue the trials again that have begun and have no result. They have the same parameters, and so continue in the
    same folders. Returns how many trials are done."""
    from optuna.trial import TrialState, create_trial

    trials, members, done = study.get_trials(deepcopy=False), _members(sweep), 0
    repeated = _repeated(trials)
    for trial in trials:
        if trial.state == TrialState.WAITING:
            continue
        if trial.state == TrialState.COMPLETE:
            done += 1
        elif trial.number not in repeated:
            member = _member(trial, members)
            parameters = trial.params or trial.system_attrs.get("fixed_params")
            if member and not retry_failed and earlier_failure(member):
                done += 1
            elif parameters:
                attributes = {"fixed_params": parameters, REPEATS: trial.number}
                study.add_trial(create_trial(state=TrialState.WAITING, system_attrs=attributes))
        if trial.state == TrialState.RUNNING:  # its process has died
            study.tell(trial.number, state=TrialState.FAIL)
    return done


def print_result(study: "Study", sweep: Path, metrics: list[str], n_trials: int) -> bool:
    """Print the best trials with the folders of their members. Returns whether any trial has a result."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    repeated = _repeated(trials)
    ended = [trial for trial in trials if trial.state.is_finished() and trial.number not in repeated]
    failed = sum(trial.state == TrialState.FAIL for trial in ended)
    without = f", {failed} without a result" if failed else ""
    heading = f"search: {len(ended)} of {max(n_trials, len(ended))} trials{without}"
    best = sorted(study.best_trials, key=lambda trial: trial.values)
    if not best:
        print(f"{heading}; no trial has a result")
        return False
    kind = "the Pareto front" if len(metrics) > 1 else "the best"
    print(f"{heading}; {kind} by validation {', '.join(metrics)}:")
    members = _members(sweep)
    for trial in best if len(metrics) > 1 else best[:1]:
        print(_row(trial, _member(trial, members)))
    return True


def _row(trial: "FrozenTrial", member: RunFolder | None) -> str:
    values = " ".join(f"{value:10.2f}" for value in trial.values)
    settings = "  ".join(f"{key}={setting_text(value)}" for key, value in trial.params.items())
    return f"  {values}  {settings}" + (f"  {os.path.relpath(member.path)}" if member else "")


def _repeated(trials: "list[FrozenTrial]") -> set[int]:
    """The numbers of trials that a later trial repeats."""
    return {trial.system_attrs[REPEATS] for trial in trials if REPEATS in trial.system_attrs}


def _members(sweep: Path) -> FolderByOverrides:
    found: dict[frozenset[str], RunFolder] = {}
    with suppress(UserError):  # there is none
        for folder in run_folders([str(sweep)]):
            with suppress(UserError, OSError):  # a damaged one is not of any trial
                found[frozenset(filter(_is_of_a_run, folder.overrides()))] = folder
    return found


def _member(trial: "FrozenTrial", members: FolderByOverrides) -> RunFolder | None:
    """The member that a trial trained. The sweeper stores the keys that it does not search over as user attributes."""
    overrides = [f"{key}={value}" for key, value in {**trial.params, **trial.user_attrs}.items()]
    return members.get(frozenset(filter(_is_of_a_run, overrides)))


def _is_of_a_run(override: str) -> bool:
    """Whether the key belongs to the run and not to one call."""
    return override.partition("=")[0] not in call_keys()
