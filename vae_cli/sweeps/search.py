"""A search (hydra/sweeper=optuna): what is refused before it starts, and how much of it is left to do.
Needs neither torch nor, where no search is asked for, Optuna."""

import logging
import warnings
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from vae_cli.config.compose import NOT_OF_A_RUN, accept_section
from vae_cli.config.diff import differences
from vae_cli.config.schema.sweeps import SearchConfig
from vae_cli.errors import UserError
from vae_cli.runs.lock import locked
from vae_cli.sweeps.trials import has_begun, repeat, show

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

DIRECTIONS = {"elbo": "maximize", "rate": "minimize", "distortion": "minimize"}


class Search(NamedTuple):
    study: "Study"
    sweep: Path
    figures: list[str]
    n_trials: int  # in all
    held: ExitStack  # the sweep's folder, against a second search in it


WAYS = (
    "allowed are KEY='interval(LOW,HIGH)', KEY='tag(log,interval(LOW,HIGH))', KEY='int(interval(LOW,HIGH))', "
    "KEY='range(LOW,HIGH,STEP)' and KEY=A,B,C"
)
SEARCHES: list[Search] = []  # the search under way, in the process that the user started alone


def is_search(hydra_config: Any) -> bool:
    return str(hydra_config.sweeper.get("_target_")).endswith(".OptunaSweeper")


def prepare(config: DictConfig) -> None:
    """Refuse, or open the study and let Hydra's sweeper do what is left of its `n_trials`."""
    if not is_search(config.hydra):
        return
    sweeper = config.hydra.sweeper
    figures = _check(config)
    space = _space(config)
    sweep = Path(config.hydra.sweep.dir)
    with ExitStack() as held:
        held.enter_context(locked(sweep))
        study = _open(config, sweep, figures)
        _refuse_another(study, config, space)
        begun = len(study.trials)
        done = repeat(study, sweep, config.retry_failed)
        SEARCHES.append(Search(study, sweep, figures, sweeper.n_trials, held.pop_all()))
    with read_write(config), open_dict(config):
        sweeper.n_trials = max(0, sweeper.n_trials - done)
        if sweeper.sampler.get("seed") is not None:
            sweeper.sampler.seed += begun  # the same seed would draw what the study already has


def conclude() -> bool:
    """Say what the search has found. Whether it has found anything."""
    found = True
    for search in SEARCHES:
        with search.held:
            found &= show(search.study, search.sweep, search.figures, search.n_trials)
    return found


def _check(config: DictConfig) -> list[str]:
    """The figures that are searched for. Raises UserError for keys that cannot serve a search."""
    sweeper = config.hydra.sweeper
    accept_section(SearchConfig, sweeper, "hydra.sweeper.")
    figures = _listed(config.returns)
    if len(figures) == 1 and not isinstance(config.returns, str):
        raise UserError(f"returns=[{figures[0]}] is not allowed in a search; allowed is returns={figures[0]}")
    wanted = [DIRECTIONS[figure] for figure in figures]
    if (given := _listed(sweeper.direction)) != wanted:
        raise UserError(
            f"hydra.sweeper.direction={_typed(given)} does not go with returns={_typed(figures)}; "
            f"allowed is {_typed(wanted)}"
        )
    if config.data.get("validation_size") == 0:
        raise UserError(
            "data.validation_size=0 leaves a search nothing to go by: it compares validation figures; "
            "allowed is 1 or more"
        )
    return figures


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value]


def _typed(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"[{','.join(values)}]"


def _space(config: DictConfig) -> "dict[str, BaseDistribution]":
    """The keys searched over, as the sweeper will read them."""
    from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides

    given = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    try:
        space, fixed = create_params_from_overrides([*given, *config.hydra.overrides.task])
    except (HydraException, AssertionError, NotImplementedError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"what to search over cannot be read{reason and ': '}{reason}; {WAYS}") from error
    searched = {key: distribution for key, distribution in space.items() if key not in fixed}
    if not searched:
        raise UserError(f"a search needs a key to search over; {WAYS}")
    return searched


def _open(config: DictConfig, sweep: Path, figures: list[str]) -> "Study":
    import optuna

    _quieten()
    sweeper, wanted = config.hydra.sweeper, [DIRECTIONS[figure] for figure in figures]
    name, storage = sweeper.study_name, sweeper.storage
    try:
        with suppress(KeyError):  # there is no study of this name yet
            study = optuna.load_study(name, storage)
            if has_begun(study, sweep):
                return _of_directions(study, wanted, config)
            optuna.delete_study(name, storage)  # a mistake in its first command does not bind the next one
        return optuna.create_study(study_name=name, storage=storage, directions=wanted)
    except UserError:
        raise
    except Exception as error:  # as many kinds as there are databases
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"hydra.sweeper.storage={storage} cannot be opened: {reason}") from error


def _quieten() -> None:
    """The console has one line for each member, and what the plugin's pinned Optuna thinks of itself is not news."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("hydra_plugins.hydra_optuna_sweeper").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)


def _of_directions(study: "Study", wanted: list[str], config: DictConfig) -> "Study":
    if (was := [direction.name.lower() for direction in study.directions]) != wanted:
        raise _another(config, f"hydra.sweeper.direction was {_typed(was)} and is {_typed(wanted)}")
    return study


def _refuse_another(study: "Study", config: DictConfig, space: "dict[str, BaseDistribution]") -> None:
    """A study has one configuration and one set of keys; bounds may move from one call to the next."""
    from optuna.distributions import check_distribution_compatibility

    current = OmegaConf.to_container(
        OmegaConf.masked_copy(config, [str(key) for key in config if key not in NOT_OF_A_RUN])
    )
    assert isinstance(current, dict)
    current = {str(key): value for key, value in current.items()} | {"returns": _listed(config.returns)}
    saved = study.user_attrs.get("config")
    if saved is None:
        study.set_user_attr("config", current)
        return
    found = differences(saved, current)
    if saved["epochs"] != current["epochs"]:  # which a single run may change
        found.append(f"epochs was {saved['epochs']} and is {current['epochs']}")
    if found:
        raise _another(config, "; ".join(found))
    for trial in study.get_trials(deepcopy=False):
        before = trial.distributions
        if before and before.keys() != space.keys():
            raise _another(config, f"it searches over {', '.join(before)}, this is over {', '.join(space)}")
        for key, distribution in before.items():
            try:
                check_distribution_compatibility(distribution, space[key])
            except ValueError as error:
                raise _another(config, f"{key} was {distribution} and is {space[key]}") from error


def _another(config: DictConfig, what: str) -> UserError:
    sweeper = config.hydra.sweeper
    return UserError(
        f"{sweeper.storage} holds another search {sweeper.study_name!r}: {what}; name=NEW begins a new one"
    )
