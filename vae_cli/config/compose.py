"""From Hydra's configuration to a checked, typed one."""

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from hydra import compose
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.errors import MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from vae_cli.config.failures import of_omegaconf
from vae_cli.config.modes import refuse_unused
from vae_cli.config.pairs import refuse_wrong_pair
from vae_cli.config.quoting import quoted
from vae_cli.config.saved import ADDED, upgraded
from vae_cli.config.schema.commands import CompareConfig, EvalConfig
from vae_cli.config.schema.data import DataConfig
from vae_cli.config.schema.fields import Plain
from vae_cli.config.schema.keys import call_keys, command_keys, roles
from vae_cli.config.schema.messages import sentence
from vae_cli.config.schema.part import Checked
from vae_cli.config.schema.run import GROUPS, CallConfig, RunConfig
from vae_cli.config.yaml_comments import PACKAGE
from vae_cli.config.yaml_files import place, read_by_us
from vae_cli.errors import UserError, did_you_mean

NOT_OF_A_RUN = ("hydra", *CallConfig.model_fields)  # they may change from one call to the next
Model = TypeVar("Model", bound=Checked)


def merge_launchers_silently() -> None:
    """Hydra merges hydra/launcher/NAME.yaml into the plugin's schema of that name and warns of it; here it is intended."""
    warnings.filterwarnings(
        "ignore", r"\s*'hydra/.*' is validated against ConfigStore schema with the same name"
    )


def prepare_hydra() -> None:
    """Let Hydra find our plugin and prefer our options. Call it before Hydra composes."""
    sys.path.append(str(PACKAGE / "plugins"))  # where Hydra looks for hydra_plugins
    merge_launchers_silently()
    # Hydra goes on after an error of a callback, which may be the one that refuses a run, and without a search path
    warnings.filterwarnings("error", "Callback .* raised|provider=.* is not available")
    Plugins.instance()  # imports all plugins, which store their options, once
    read_by_us()
    # Hydra would refuse our hydra/sweeper options, or warn of them, beside those of the same names that are stored.
    for name in ("basic.yaml", "optuna.yaml"):
        ConfigStore.instance().repo["hydra"]["sweeper"].pop(name, None)


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn what OmegaConf says of a reference to another key, or of a missing value, into a UserError."""
    try:
        yield
    except OmegaConfBaseException as error:
        raise UserError(of_omegaconf(error)) from error


@_in_words()
def accept(cfg: DictConfig, external_targets: bool | None = None) -> RunConfig:
    """The checked configuration of a run. `external_targets` allows parts from outside this package; None: as `cfg`,
    the configuration of this call, says.

    Raises UserError with one sentence for the first thing that is wrong."""
    for group in GROUPS:
        part = cfg.get(group)
        given = isinstance(part, DictConfig) and {"name", "_target_"} <= part.keys()
        if not given and group not in ADDED:
            raise UserError(f"{group} must be given: {group}=OPTION")
    refuse_wrong_pair(cfg)
    external = bool(cfg.get("external_targets")) if external_targets is None else external_targets
    return run_config(plain(cfg), external)


def run_config(config: Mapping[str, Any], external_targets: bool = False) -> RunConfig:
    """The checked configuration of a plain dictionary, which may be an earlier version's."""
    return _checked(RunConfig, upgraded(config), roles(), {"external_targets": external_targets})


def accept_call(cfg: DictConfig) -> CallConfig:
    """The checked keys of one call of vae-train, whose configuration may have Hydra's own with it."""
    if "hydra" in cfg:
        given = OmegaConf.to_container(cfg.hydra.overrides.hydra, resolve=False)
        assert isinstance(given, list)
        refuse_unused(map(str, given), sweep=cfg.hydra.mode == RunMode.MULTIRUN)
    call = _checked(CallConfig, _plain(OmegaConf.masked_copy(cfg, call_keys())), call_keys())
    if call.resume is not None:
        raise UserError(
            f"resume={call.resume} is not allowed here; on the command line, resume=FOLDER without other keys but "
            f"epochs=N continues a run{place(['resume'])}"
        )
    return call


def accept_evaluation(cfg: DictConfig) -> EvalConfig:
    return _checked(EvalConfig, _without_hydra(cfg), command_keys(EvalConfig))


def accept_comparison(cfg: DictConfig) -> CompareConfig:
    return _checked(CompareConfig, _without_hydra(cfg), command_keys(CompareConfig))


def plain(cfg: DictConfig) -> Plain:
    """What makes up a run, as a plain dictionary, unchecked."""
    return _plain(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in NOT_OF_A_RUN]))


def _without_hydra(cfg: DictConfig) -> Plain:
    return _plain(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]))


def _plain(cfg: DictConfig) -> Plain:
    with _in_words():
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def accept_section(model: type[Model], section: DictConfig, prefix: str) -> Model:
    """The keys of a model from a section of Hydra's own configuration, as hydra.launcher is."""
    value = {key: section.get(key) for key in model.model_fields}
    return _checked(model, value, [], prefix=prefix)


def _checked(
    model: type[Model], value: Plain, names: Iterable[str], context: Plain | None = None, prefix: str = ""
) -> Model:
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        first, *_ = error.errors(include_url=False)
        where = place([str(step) for step in first["loc"] if isinstance(step, str)])
        raise UserError(prefix + sentence(error, model, value, names) + where) from error


def data_option(name: str, changes: Mapping[str, Any] | None = None) -> DataConfig:
    """The checked configuration of `data=name` with `changes`. Inside a Hydra program.

    Raises UserError for an unknown name."""
    try:
        cfg = compose("config", [f"data={quoted(name)}"])
    except MissingConfigException as error:
        options = list(error.options or ())
        raise UserError(
            f"there is no data set {name!r}; allowed are {', '.join(options)}{did_you_mean(name, options)}"
        ) from error
    cfg.data.update(changes or {})
    return accept(cfg).data
