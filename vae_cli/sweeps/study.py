"""Opens the study of a search, in which Optuna stores its trials, and refuses the study of another search."""

import logging
import warnings
from contextlib import suppress
from pathlib import Path

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution, check_distribution_compatibility

from vae_cli.config.compose import NOT_OF_A_RUN
from vae_cli.config.diff import differences
from vae_cli.errors import UserError
from vae_cli.sweeps.search_keys import as_typed, directions
from vae_cli.sweeps.trials import has_begun


def open_study(config: DictConfig, sweep: Path, metrics: list[str]) -> optuna.Study:
    """The study that the storage holds, or a new one. Raises UserError for a storage that cannot be opened."""
    _silence_optuna()
    name, storage = config.hydra.sweeper.study_name, config.hydra.sweeper.storage
    try:
        with suppress(KeyError):  # there is no study of this name yet
            study = optuna.load_study(name, storage)
            if has_begun(study, sweep):
                return study
            # a mistake in the first command must not bind the next command
            optuna.delete_study(name, storage)
        return optuna.create_study(study_name=name, storage=storage, directions=directions(metrics))
    except Exception as error:  # each database has its own errors
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"hydra.sweeper.storage={storage} cannot be opened: {reason}") from error


def _silence_optuna() -> None:
    """Silence Optuna: the console has one line for each member, and the old Optuna that the plugin needs warns about
    itself."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("hydra_plugins.hydra_optuna_sweeper").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)


def check_study(
    study: optuna.Study,
    config: DictConfig,
    metrics: list[str],
    space: dict[str, BaseDistribution],
) -> None:
    """Raise UserError where the study belongs to another search: with another configuration, other metrics or other
    keys to search over. The bounds of a key may change from one call to the next."""
    before, current = [direction.name.lower() for direction in study.directions], directions(metrics)
    found = (
        [f"hydra.sweeper.direction was {as_typed(before)} and is {as_typed(current)}"]
        if before != current
        else [*_changed_keys(study, config, metrics), *_changed_space(study, space)]
    )
    if found:
        sweeper = config.hydra.sweeper
        raise UserError(
            f"{sweeper.storage} holds another search {sweeper.study_name!r}: {'; '.join(found)}; "
            "name=NEW begins a new one"
        )


def _changed_keys(study: optuna.Study, config: DictConfig, metrics: list[str]) -> list[str]:
    """How the configuration differs from the one that the study stores. A new study stores this one."""
    kept = OmegaConf.masked_copy(config, [str(key) for key in config if key not in NOT_OF_A_RUN])
    current = OmegaConf.to_container(kept)
    assert isinstance(current, dict)
    current = {str(key): value for key, value in current.items()} | {"returns": metrics}
    saved = study.user_attrs.get("config")
    if saved is None:
        study.set_user_attr("config", current)
        return []
    found = differences(saved, current)
    if saved["epochs"] != current["epochs"]:  # a resumed run may change its epochs, a search may not
        found.append(f"epochs was {saved['epochs']} and is {current['epochs']}")
    return found


def _changed_space(study: optuna.Study, space: dict[str, BaseDistribution]) -> list[str]:
    """The first difference between the keys of earlier trials and the keys to search over now."""
    for trial in study.get_trials(deepcopy=False):
        before = trial.distributions
        if before and before.keys() != space.keys():
            return [f"it searches over {', '.join(before)}, this is over {', '.join(space)}"]
        for key, distribution in before.items():
            try:
                check_distribution_compatibility(distribution, space[key])
            except ValueError:
                return [f"{key} was {distribution} and is {space[key]}"]
    return []
