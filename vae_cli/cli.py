"""The three commands: vae-train, vae-eval and vae-compare. `__main__.py` answers their --help."""

import logging
import sys
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vae_cli.config import arguments, quoting, resolvers
from vae_cli.config.compose import accept_comparison, accept_evaluation, prepare_hydra
from vae_cli.config.failures import INTERRUPTED, reported
from vae_cli.config.yaml_comments import config_folder
from vae_cli.errors import UserError
from vae_cli.sweeps.resume import resume
from vae_cli.sweeps.search import report_searches
from vae_cli.sweeps.summary import close_sweeps
from vae_cli.sweeps.task import task

FAILURES: list[int] = []  # exit statuses of the jobs of vae-eval -m and vae-compare -m that failed


def train() -> None:
    """vae-train"""
    if (given := reported("vae-train", lambda: arguments.resumed(sys.argv[1:]))) is not None:
        reported("vae-train", lambda: _resume(given))
        return
    try:
        _hydra("vae-train", "config", task)
    finally:
        finished = close_sweeps()
        found = report_searches()
    if not (finished and found):
        sys.exit(1)


def evaluate() -> None:
    """vae-eval"""
    _hydra("vae-eval", "eval", _evaluation)


def compare() -> None:
    """vae-compare"""
    _hydra("vae-compare", "compare", _comparison)


def _hydra(program: str, config: str, task: Callable[[DictConfig], Any]) -> None:
    """Let Hydra read the command line."""

    def work() -> None:
        sys.argv[1:] = arguments.for_hydra(program, sys.argv[1:])
        prepare_hydra()
        resolvers.register()
        main = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=config)(task)
        if program == "vae-train" or not {"--multirun", "hydra.mode=MULTIRUN"} & set(sys.argv):
            main()
            return
        with TemporaryDirectory(prefix=program) as folder:  # for what Hydra writes of a sweep
            if not any(word.startswith("hydra.sweep.dir=") for word in sys.argv):
                sys.argv.append(f"hydra.sweep.dir={quoting.quoted(folder)}")
            main()

    reported(program, work)
    if FAILURES:
        sys.exit(max(FAILURES))


def _evaluation(cfg: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    given = [quoting.unquoted(override) for override in _overrides()]

    def work() -> None:
        settings = accept_evaluation(cfg)
        from vae_cli.evaluation.evaluate import evaluate  # imports torch: only once the settings are accepted

        evaluate(settings, given)

    _carried_out("vae-eval", work)


def _comparison(cfg: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)

    def work() -> None:
        settings = accept_comparison(cfg)
        from vae_cli.comparison.compare import (
            compare,  # imports matplotlib: only once the settings are accepted
        )

        compare(settings)

    _carried_out("vae-compare", work)


def _carried_out(program: str, work: Callable[[], None]) -> None:
    """With -m, one line for each failure, and the jobs that remain are done. Hydra would name the first one only, which it
    does for a launcher that starts processes."""
    hydra_config = HydraConfig.get()
    if hydra_config.mode == RunMode.RUN or hydra_config.runtime.choices.get("hydra/launcher") == "basic":
        name = f"{program} {_job_name()}" if hydra_config.mode == RunMode.MULTIRUN else program
        try:
            reported(name, work)
        except SystemExit as end:
            if hydra_config.mode == RunMode.RUN or end.code == INTERRUPTED:
                raise
            FAILURES.append(int(end.code or 0))
    else:
        work()


def _job_name() -> str:
    """The run that a job is about, or what it was given."""
    overrides = _overrides()
    return next((each for each in overrides if each.startswith("run=")), " ".join(overrides))


def _overrides() -> list[str]:
    """Of this job, as they were given: references are not resolved."""
    overrides = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    assert isinstance(overrides, list)
    return [str(override) for override in overrides]


def _resume(given: dict[str, str]) -> None:
    folder = given.pop("resume")
    external = given.pop("external_targets", "false")
    if external not in ("true", "false"):
        raise UserError(f"external_targets={external} is not allowed; allowed is true or false")
    if others := [key for key in given if key != "epochs"]:
        raise UserError(
            f"resume=… continues with the run's own configuration; {others[0]} cannot change, epochs can"
        )
    resume(folder, given.get("epochs"), external == "true")
