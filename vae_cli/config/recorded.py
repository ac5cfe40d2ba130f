"""A configuration as a run folder keeps it."""

import os
import re
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from vae_cli.config.failures import of_omegaconf

DATA_FOLDER = '${oc.env:VAE_CLI_DATA,"~/.cache/vae-cli"}'  # data.root in config.yaml
ASKS = re.compile(r"\$\{[^${}]*:")  # the beginning of a resolver's call


def to_saved(cfg: DictConfig) -> str:
    """The YAML text of a configuration as a run folder keeps it: references to other keys stay, everything that asks a
    resolver, for example for the environment, is replaced by the answer. Only the folder of the data stays a question,
    because it differs between machines."""
    kept = OmegaConf.to_container(cfg, resolve=False)
    answered = OmegaConf.to_container(cfg, resolve=True)
    return OmegaConf.to_yaml(OmegaConf.create(_answered(kept, answered)))


def _answered(value: Any, answer: Any) -> Any:
    if isinstance(value, dict):
        return {key: _answered(each, answer[key]) for key, each in value.items()}
    if isinstance(value, list):
        return [_answered(each, answer[i]) for i, each in enumerate(value)]
    return answer if isinstance(value, str) and value != DATA_FOLDER and ASKS.search(value) else value


def from_saved(content: object) -> DictConfig:
    """The configuration of a run folder, which may be a stranger's: it may refer to its own keys alone.

    Raises ValueError for a content that is no configuration, asks a resolver, or has a reference that leads nowhere."""
    if not isinstance(content, dict):
        raise ValueError("it is no configuration of vae-train")
    known = _from_saved(content)
    try:
        cfg = OmegaConf.create(known)
        OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise ValueError(of_omegaconf(error)) from error
    return cfg


def _from_saved(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _from_saved(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_from_saved(each) for each in value]
    if value == DATA_FOLDER:
        return os.environ.get("VAE_CLI_DATA") or "~/.cache/vae-cli"
    if isinstance(value, str) and (asked := ASKS.search(value)):
        raise ValueError(
            f"{asked[0]}…}} asks for something outside of the configuration, which is not answered"
        )
    return value
