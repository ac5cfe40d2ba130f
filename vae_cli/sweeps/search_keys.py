"""The keys of a search: which metrics it goes by, and which keys it searches over. Imports no Optuna of its own."""

from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf import DictConfig

from vae_cli.config.compose import accept_section
from vae_cli.config.schema.sweeps import SearchConfig
from vae_cli.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DIRECTIONS = {"elbo": "maximize", "rate": "minimize", "distortion": "minimize"}
SPACES = (
    "allowed are KEY='interval(LOW,HIGH)', KEY='tag(log,interval(LOW,HIGH))', KEY='int(interval(LOW,HIGH))', "
    "KEY='range(LOW,HIGH,STEP)' and KEY=A,B,C"
)


def is_search(hydra_config: Any) -> bool:
    return str(hydra_config.sweeper.get("_target_")).endswith(".OptunaSweeper")


def checked_metrics(config: DictConfig) -> list[str]:
    """The validation metrics that the search goes by."""
    accept_section(SearchConfig, config.hydra.sweeper, "hydra.sweeper.")
    metrics = _as_list(config.returns)
    if len(metrics) == 1 and not isinstance(config.returns, str):
        raise UserError(f"returns=[{metrics[0]}] is not allowed in a search; allowed is returns={metrics[0]}")
    allowed = [DIRECTIONS[metric] for metric in metrics]
    if (given := _as_list(config.hydra.sweeper.direction)) != allowed:
        raise UserError(
            f"hydra.sweeper.direction={as_typed(given)} does not go with returns={as_typed(metrics)}; "
            f"allowed is {as_typed(allowed)}"
        )
    if config.data.get("validation_size") == 0:
        raise UserError(
            "data.validation_size=0 gives a search nothing to compare: it goes by validation metrics; "
            "allowed is 1 or more"
        )
    return metrics


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value]


def as_typed(values: list[str]) -> str:
    """As on the command line."""
    return values[0] if len(values) == 1 else f"[{','.join(values)}]"


def search_space(config: DictConfig) -> "dict[str, BaseDistribution]":
    """The keys to search over, as the sweeper will read them."""
    from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides

    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    try:
        space, fixed = create_params_from_overrides([*params, *config.hydra.overrides.task])
    except (HydraException, AssertionError, NotImplementedError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the search space cannot be read{reason and ': '}{reason}; {SPACES}") from error
    searched = {key: distribution for key, distribution in space.items() if key not in fixed}
    if not searched:
        raise UserError(f"a search needs a key to search over; {SPACES}")
    return searched
