"""A search (hydra/sweeper=optuna): opens its study before Hydra starts, and prints its result at the end.

Imports no torch, and imports Optuna only for a search.
"""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, open_dict, read_write

from vae_cli.runs.lock import lock_file, locked
from vae_cli.runs.occupied import remove_empty
from vae_cli.sweeps.check import check_choices
from vae_cli.sweeps.search_keys import checked_metrics, is_search, search_space
from vae_cli.sweeps.trials import print_result, requeue_unfinished

if TYPE_CHECKING:
    from optuna import Study


class Search(NamedTuple):
    study: "Study"
    sweep: Path
    metrics: list[str]
    n_trials: int  # in total, trials of earlier calls included
    lock: ExitStack  # holds the lock of the sweep's folder, so that no second search uses it


SEARCHES: list[Search] = []  # the running search; empty in every process but the user's


def prepare_search(config: DictConfig) -> None:
    """Open the study, and reduce `n_trials` to the number of trials that are left. Does nothing for a sweep without a
    search.

    Raises UserError for keys that a search cannot use, and for a study that belongs to another search."""
    if not is_search(config.hydra):
        return
    from vae_cli.sweeps.study import check_study, open_study

    sweeper, sweep = config.hydra.sweeper, Path(config.hydra.sweep.dir)
    metrics, (space, fixed) = checked_metrics(config), search_space(config)
    check_choices(config, GlobalHydra.instance().config_loader(), space, fixed)
    with ExitStack() as lock:
        if not sweep.exists():
            lock.push(partial(_remove_if_refused, sweep))
        lock.enter_context(locked(sweep))
        study = open_study(config, sweep, metrics)
        check_study(study, config, metrics, space)
        begun = len(study.trials)
        done = requeue_unfinished(study, sweep, config.retry_failed)
        SEARCHES.append(Search(study, sweep, metrics, sweeper.n_trials, lock.pop_all()))
    with read_write(config), open_dict(config):
        sweeper.n_trials = max(0, sweeper.n_trials - done)
        if sweeper.sampler.get("seed") is not None:
            sweeper.sampler.seed += begun  # the same seed would propose the same trials again


def _remove_if_refused(sweep: Path, kind: type[BaseException] | None, *_: object) -> None:
    """Leave no folder of a search that has not begun."""
    if kind is not None:
        for file in (lock_file(sweep), sweep / "study.db"):
            file.unlink(missing_ok=True)
        remove_empty(sweep)


def report_searches() -> bool:
    """Print the result of the search. Returns whether there is any."""
    found = True
    for search in SEARCHES:
        with search.lock:
            found &= print_result(search.study, search.sweep, search.metrics, search.n_trials)
    return found
