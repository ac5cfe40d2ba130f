"""The callback that Hydra calls before it starts a run or a sweep: refuses a bad configuration, starts the monitor."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from vae_cli.config.compose import accept, accept_call, accept_section
from vae_cli.config.failures import EXTRAS, needs_an_extra
from vae_cli.config.schema.sweeps import PackedLauncherConfig
from vae_cli.errors import UserError
from vae_cli.sweeps import resources
from vae_cli.sweeps.folder import SweepFolder
from vae_cli.sweeps.monitor import MONITORS, Monitor
from vae_cli.sweeps.search import prepare_search
from vae_cli.sweeps.search_keys import is_search

LOCAL_LAUNCHERS = ("basic", "packed", "joblib", "submitit_local", "ray")


class BeforeRun(Callback):
    """Refuses a bad configuration before any folder is made. It raises SystemExit, because Hydra turns other exceptions
    of a callback into warnings."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        _check(config, accept)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        _check_extras(config)
        _check(config, _check_sweep)
        resources.remember_gpus()
        monitor = Monitor(SweepFolder(Path(config.hydra.sweep.dir)), _member_count(config), _is_local(config))
        MONITORS.append(monitor)
        monitor.start()


def _check(config: DictConfig, check_rest: Callable[[DictConfig], object]) -> None:
    """Check the keys of the call, then the rest. Exit with the error in one line."""
    try:
        accept_call(config)
        check_rest(config)
    except UserError as error:
        print(f"vae-train: {error}", file=sys.stderr)
        raise SystemExit(2) from error


def _check_sweep(config: DictConfig) -> None:
    accept_section(PackedLauncherConfig, config.hydra.launcher, "hydra.launcher.")
    prepare_search(config)


def _check_extras(config: DictConfig) -> None:
    """Name the extra that a missing launcher or sweeper needs. Hydra's own message names only a class."""
    for group in ("hydra/launcher", "hydra/sweeper"):
        option = f"{group}={config.hydra.runtime.choices.get(group)}"
        target = OmegaConf.select(config, f"{group.replace('/', '.')}._target_")
        if option in EXTRAS and target not in Plugins.instance().class_name_to_class:
            print(f"vae-train: {needs_an_extra(option)}", file=sys.stderr)
            raise SystemExit(2)


def _is_local(config: DictConfig) -> bool:
    """Whether members are processes of this machine. Ray may run them on a cluster."""
    launcher = config.hydra.runtime.choices.get("hydra/launcher")
    address = config.hydra.launcher.get("ray", {}).get("init", {}).get("address")
    return launcher in LOCAL_LAUNCHERS and address in (None, "local")


def _member_count(config: DictConfig) -> int | None:
    """How many members Hydra's own sweeper or a search will start; None for another sweeper."""
    if is_search(config.hydra):
        return int(config.hydra.sweeper.n_trials)
    if config.hydra.runtime.choices.get("hydra/sweeper") != "basic":
        return None
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    loader = GlobalHydra.instance().config_loader()  # knows what glob(*) stands for
    parsed = OverridesParser.create(loader).parse_overrides([*params, *config.hydra.overrides.task])
    counts = {override.key_or_group: _value_count(override) for override in parsed}  # a later override wins
    return math.prod(counts.values())


def _value_count(override: Override) -> int:
    return len(list(override.sweep_string_iterator())) if override.is_sweep_override() else 1
