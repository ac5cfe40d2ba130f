"""What Hydra calls before it starts anything."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
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
from vae_cli.sweeps.search import is_search, prepare

ON_THIS_MACHINE = ("basic", "packed", "joblib", "submitit_local", "ray")


class BeforeRun(Callback):
    """A bad configuration leaves nothing behind. SystemExit, because Hydra turns other exceptions into warnings."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._check(config, accept)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._check_extras(config)
        self._check(config, _check_and_prepare)
        resources.remember_gpus()
        launcher = config.hydra.runtime.choices.get("hydra/launcher")
        address = config.hydra.launcher.get("ray", {}).get("init", {}).get("address")
        local = launcher in ON_THIS_MACHINE and address in (None, "local")
        MONITORS.append(Monitor(SweepFolder(Path(config.hydra.sweep.dir)), _expected(config), local))
        MONITORS[-1].start()

    def _check(self, config: DictConfig, more: Callable[[DictConfig], object]) -> None:
        try:
            accept_call(config)
            more(config)
        except UserError as error:
            print(f"vae-train: {error}", file=sys.stderr)
            raise SystemExit(2) from error

    def _check_extras(self, config: DictConfig) -> None:
        """Hydra itself would name a class that it cannot find."""
        for group in ("hydra/launcher", "hydra/sweeper"):
            option = f"{group}={config.hydra.runtime.choices.get(group)}"
            target = OmegaConf.select(config, f"{group.replace('/', '.')}._target_")
            if option in EXTRAS and target not in Plugins.instance().class_name_to_class:
                print(f"vae-train: {needs_an_extra(option)}", file=sys.stderr)
                raise SystemExit(2)


def _check_and_prepare(config: DictConfig) -> None:
    accept_section(PackedLauncherConfig, config.hydra.launcher, "hydra.launcher.")
    prepare(config)


def _expected(config: DictConfig) -> int | None:
    """How many members the sweeper will make: Hydra's own, or that of a search."""
    if is_search(config.hydra):
        return int(config.hydra.sweeper.n_trials)
    if config.hydra.runtime.choices.get("hydra/sweeper") != "basic":
        return None
    given = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    parsed = OverridesParser.create().parse_overrides([*given, *config.hydra.overrides.task])
    counts = {
        override.key_or_group: len(list(override.sweep_string_iterator()))
        if override.is_sweep_override()
        else 1
        for override in parsed
    }
    return math.prod(counts.values())
