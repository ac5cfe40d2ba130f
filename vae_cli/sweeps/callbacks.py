"""The callback that Hydra calls before it starts a run, a sweep or a member: refuses a bad configuration, starts the monitor."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from vae_cli.config.compose import accept, accept_call, accept_section
from vae_cli.config.failures import EXTRAS, needs_an_extra, reported
from vae_cli.config.schema.sweeps import PackedLauncherConfig, SweeperConfig
from vae_cli.errors import UserError
from vae_cli.sweeps import resources
from vae_cli.sweeps.call import CURRENT, SweepCall
from vae_cli.sweeps.monitor import MONITORS, Monitor
from vae_cli.sweeps.search import prepare_search
from vae_cli.sweeps.search_keys import is_search

LOCAL_LAUNCHERS = ("basic", "packed", "joblib", "submitit_local", "ray")


class BeforeRun(Callback):
    """Refuses a bad configuration before any folder is made.

    Launchers pass this object to the processes in which they train members, and with it the call of the sweep."""

    call: SweepCall | None = None

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        _or_exit(lambda: (accept_call(config), accept(config)))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        _or_exit(lambda: self._prepare(config))

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        CURRENT[:] = [self.call] if self.call else []

    def _prepare(self, config: DictConfig) -> None:
        _check_extras(config)
        accept_call(config)
        _check_sweep(config)
        resources.remember_gpus()
        # a launcher that starts `python -m …` would otherwise import what lies in the current folder
        os.environ["PYTHONSAFEPATH"] = "1"
        self.call = SweepCall(Path(config.hydra.sweep.dir).absolute())
        monitor = Monitor(self.call, _is_local(config))
        MONITORS.append(monitor)
        if not _is_checked(config):  # else once all members are checked
            monitor.begin(_trials(config))


def _or_exit(work: Callable[[], object]) -> None:
    """Exit with an error in one line: Hydra turns every other exception of a callback into a warning, and goes on."""
    try:
        reported("vae-train", work)
    except Exception as error:  # as HYDRA_FULL_ERROR=1 asks for
        traceback.print_exc()
        raise SystemExit(1) from error


def _check_sweep(config: DictConfig) -> None:
    accept_section(PackedLauncherConfig, config.hydra.launcher, "hydra.launcher.")
    if _is_checked(config):
        accept_section(SweeperConfig, config.hydra.sweeper, "hydra.sweeper.")
    prepare_search(config)


def _check_extras(config: DictConfig) -> None:
    """Name the extra that a missing launcher or sweeper needs. Hydra's own message names only a class."""
    for group in ("hydra/launcher", "hydra/sweeper"):
        option = f"{group}={config.hydra.runtime.choices.get(group)}"
        target = OmegaConf.select(config, f"{group.replace('/', '.')}._target_")
        if option in EXTRAS and target not in Plugins.instance().class_name_to_class:
            raise UserError(needs_an_extra(option))


def _is_local(config: DictConfig) -> bool:
    """Whether members are processes of this machine. Ray may run them on a cluster."""
    launcher = config.hydra.runtime.choices.get("hydra/launcher")
    address = config.hydra.launcher.get("ray", {}).get("init", {}).get("address")
    return launcher in LOCAL_LAUNCHERS and address in (None, "local")


def _is_checked(config: DictConfig) -> bool:
    """Whether the sweeper checks all members before it starts the first one."""
    return str(config.hydra.sweeper.get("_target_")).endswith(".CheckedSweeper")


def _trials(config: DictConfig) -> int | None:
    """How many members a search will start; None for other sweepers, and for a grid, which may have fewer points."""
    sweeper = config.hydra.sweeper
    is_grid = str(OmegaConf.select(sweeper, "sampler._target_")).endswith(".GridSampler")
    return int(sweeper.n_trials) if is_search(config.hydra) and not is_grid else None
