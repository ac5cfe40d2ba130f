"""Checks all members of a sweep before the first one starts."""

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, open_dict

from vae_cli.config.compose import accept, accept_call
from vae_cli.errors import UserError

MOST_MEMBERS = 100_000


def check_values(overrides: Sequence[Override]) -> None:
    """Raise UserError for a key without any value, for one that only a search can choose, and for too many members."""
    members = 1
    for override in overrides:
        if not override.is_sweep_override():
            continue
        if not override.is_discrete_sweep():
            raise UserError(f"{override.input_line} is for a search, which hydra/sweeper=optuna starts")
        try:
            count = sum(1 for _ in islice(override.sweep_string_iterator(), MOST_MEMBERS + 1))
        except (ValueError, TypeError, OverflowError) as error:
            raise UserError(f"{override.input_line} cannot be read: {error}") from error
        if not count:
            raise UserError(f"{override.input_line} has no value, so the sweep would have no member")
        members *= count
        if members > MOST_MEMBERS:
            raise UserError(f"the sweep would have {members} members or more; allowed are {MOST_MEMBERS}")


def check_members(config: DictConfig, loader: ConfigLoader, members: Sequence[Sequence[str]]) -> None:
    """Compose each member from its overrides. Raise UserError for the first one that is refused, and for two that would
    train in one folder. `config` is that of the sweep."""
    before, folders = HydraConfig.instance().cfg, dict[Path, Sequence[str]]()
    try:
        for number, overrides in enumerate(members):
            cfg = loader.load_sweep_config(config, list(overrides))
            with open_dict(cfg):
                cfg.hydra.job.id = cfg.hydra.job.num = number
            HydraConfig.instance().set_config(cfg)
            accept_call(cfg)
            accept(cfg)
            folder = os.path.abspath(f"{cfg.hydra.sweep.dir}/{cfg.hydra.sweep.subdir}")  # noqa: PTH100, as Hydra does
            _check_folder(Path(folder), overrides, folders)
    finally:
        HydraConfig.instance().cfg = before


def check_choices(
    config: DictConfig, loader: ConfigLoader, space: Mapping[str, Any], fixed: Mapping[str, Any]
) -> None:
    """Compose each choice of each key of a search once: a trial that cannot be composed would end the search in its midst.
    Whether the values go together shows in the trials, which may be refused one by one."""
    given = [f"{key}={value}" for key, value in fixed.items()]
    for key, distribution in space.items():
        for choice in getattr(distribution, "choices", ()):
            loader.load_sweep_config(config, [*given, f"{key}={choice}"])


def _check_folder(folder: Path, overrides: Sequence[str], earlier: dict[Path, Sequence[str]]) -> None:
    if other := earlier.get(folder):
        differing = [override for override in overrides if override not in other]
        raise UserError(
            f"two members would train in {folder}: {' '.join(differing) or 'a value is given twice'}"
            + (" does not change the name of the folder" if differing else "")
        )
    earlier[folder] = overrides
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, and a member of the sweep needs a folder of this name")
