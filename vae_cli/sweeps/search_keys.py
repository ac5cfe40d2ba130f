"""The keys of a search: the metrics that it optimizes, and the keys that it searches over. Imports Optuna only inside
`search_space`."""

from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf import DictConfig

from vae_cli.config.compose import accept_section
from vae_cli.config.schema.sweeps import SearchConfig
from vae_cli.errors import UserError
from vae_cli.metrics import registry

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

OPTUNA_DIRECTIONS = {"max": "maximize", "min": "minimize"}
SPACES = (
    "allowed are KEY='interval(LOW,HIGH)', KEY='tag(log,interval(LOW,HIGH))', KEY='int(interval(LOW,HIGH))', "
    "KEY='range(LOW,HIGH,STEP)' and KEY=A,B,C"
)


def is_search(hydra_config: Any) -> bool:
    return str(hydra_config.sweeper.get("_target_")).endswith(".OptunaSweeper")


def checked_metrics(config: DictConfig) -> list[str]:
    """The validation metrics that the search optimizes. Raises UserError where they contradict the other keys."""
    accept_section(SearchConfig, config.hydra.sweeper, "hydra.sweeper.")
    metrics = _as_list(config.returns)
    if len(metrics) == 1 and not isinstance(config.returns, str):
        raise UserError(f"returns=[{metrics[0]}] is not allowed in a search; allowed is returns={metrics[0]}")
    if "bound" in metrics and config.objective.name == "elbo":
        raise UserError("returns=bound needs objective=iwae or objective=rws, and the objective is elbo")
    allowed = directions(metrics)
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


def directions(metrics: list[str]) -> list[str]:
    """Optuna's word for the better direction of each metric."""
    return [OPTUNA_DIRECTIONS[registry.direction(metric)] for metric in metrics]


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value]


def as_typed(values: list[str]) -> str:
    """The values as they are typed on the command line."""
    return values[0] if len(values) == 1 else f"[{','.join(values)}]"


def search_space(config: DictConfig) -> "tuple[dict[str, BaseDistribution], dict[str, Any]]":
    """The keys to search over, and those with one value, read by the sweeper's own parser. Raises UserError where it cannot
    read them."""
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
    return searched, fixed
