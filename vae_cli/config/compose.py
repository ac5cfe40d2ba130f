"""From YAML to a checked plain dictionary. Needs no torch."""

import os
import re
import shlex
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError

from vae_cli.config.keys import CALL, GROUPS, RULES
from vae_cli.config.schema import check, check_comparison, check_evaluation, check_pair
from vae_cli.errors import UserError, did_you_mean

NOT_OF_A_RUN = ("hydra", "experiment", *CALL)  # they may change from one call to the next


sys.path.append(
    str(Path(__file__).resolve().parents[1] / "plugins")
)  # where Hydra, too, looks for hydra_plugins

# Hydra merges our hydra/launcher/NAME.yaml into the plugin's schema of that name, and regrets it: here it is meant.
warnings.filterwarnings("ignore", r"\s*'hydra/.*' is validated against ConfigStore schema with the same name")


def config_folder() -> Path:
    """configs/: inside the installed wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "config.yaml").exists():
            return folder
    raise UserError(
        f"{package} has no configs/config.yaml: the installation is incomplete; install vae-cli again"
    )


def prefer_our_options() -> None:
    """Before Hydra composes: beside a plugin's stored hydra/sweeper=optuna it would refuse our file of that name."""
    Plugins.instance()  # imports all plugins, which store theirs, once
    ConfigStore.instance().repo["hydra"]["sweeper"].pop("optuna.yaml", None)


def member_name(overrides: str, sweep: str = "") -> str:
    """A member's overrides as one folder name: of keys the last part (of the first key that has it), safe characters, and a
    hash where these are not enough or it would be too long; without the experiment that has given the sweep its name."""
    import hashlib

    told = ",".join(part for part in overrides.split(",") if part != f"experiment={sweep}")
    short = re.sub(r"(?:^|(?<=,))[\w.]+(?==)", lambda key: SHORT.get(key[0], key[0]), told) or "defaults"
    safe = re.sub(r"[^\w.,=+-]", "_", short, flags=re.ASCII)
    if safe == short and len(safe) <= 150:
        return safe
    return f"{safe[:140]}_{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"


FIRST = {key.rpartition(".")[2]: key for key in reversed(RULES)}  # last part → the first key that has it
SHORT = {key: last for last, key in FIRST.items() if last not in GROUPS}

OmegaConf.register_new_resolver("member", member_name, replace=True)
OmegaConf.register_new_resolver("python", lambda: shlex.quote(sys.executable), replace=True)
# cached, so that workers get the folder of the user, not theirs
OmegaConf.register_new_resolver("here", os.getcwd, use_cache=True, replace=True)


def accept(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as a checked plain dictionary. Needs no torch."""
    for group in GROUPS:
        part = cfg.get(group)
        if not isinstance(part, DictConfig) or not {"name", "_target_"} <= part.keys():
            raise UserError(f"{group} must be given: {group}=OPTION")
    check_pair(cfg.latent, cfg.estimator)  # first: a wrong pair has interpolations that lead nowhere
    config = plain(cfg)
    check(config)
    return config


def plain(cfg: DictConfig) -> dict[str, Any]:
    """What makes up a run, as a plain dictionary, unchecked."""
    return _plain(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key not in NOT_OF_A_RUN]))


def plain_call(cfg: DictConfig) -> dict[str, Any]:
    """The keys of a call, unchecked."""
    return _plain(OmegaConf.masked_copy(cfg, list(CALL)))


def _plain(cfg: DictConfig) -> dict[str, Any]:
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = error.full_key or str(error)
        raise UserError(f"{key} must be given: {key}=VALUE") from error
    except OmegaConfBaseException as error:
        raise UserError(" ".join(str(error).split())) from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def accept_evaluation(cfg: DictConfig) -> dict[str, Any]:
    """The settings of vae-eval as a checked plain dictionary. Needs no torch."""
    settings = _plain(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]))
    check_evaluation(settings)
    return settings


def accept_comparison(cfg: DictConfig) -> dict[str, Any]:
    """The settings of vae-compare as a checked plain dictionary."""
    settings = _plain(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]))
    check_comparison(settings)
    return settings


def saved_config(folder: Path) -> DictConfig:
    """The configuration of a run folder."""
    file = folder / ".hydra/config.yaml"
    if not file.exists():
        raise UserError(f"{folder} is no run folder: it has no .hydra/config.yaml")
    try:
        cfg = OmegaConf.load(file)
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(cfg, DictConfig):
        raise UserError(f"{file} is no configuration of vae-train")
    if "runtime" not in cfg:  # of a run from before there was a choice
        cfg.runtime = OmegaConf.load(config_folder() / "runtime/auto.yaml")
    return cfg


def data_option(name: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The checked configuration of `data=name` with `changes`. Inside a Hydra program.

    Raises UserError for an unknown name."""
    try:
        cfg = compose("config", [f"data={name}"])
    except MissingConfigException as error:
        options = list(error.options or ())
        raise UserError(
            f"there is no data set {name!r}; allowed are {', '.join(options)}{did_you_mean(name, options)}"
        ) from error
    cfg.data.update(changes or {})
    return accept(cfg)["data"]
