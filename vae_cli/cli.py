"""The three commands: vae-train, vae-eval and vae-compare. `__main__.py` answers their --help."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from vae_cli.config import arguments, resolvers
from vae_cli.config.compose import accept_comparison, accept_evaluation, prepare_hydra
from vae_cli.config.failures import complain, one_line, reported
from vae_cli.config.yaml_comments import config_folder
from vae_cli.errors import UserError
from vae_cli.sweeps.resume import resume
from vae_cli.sweeps.search import report_searches
from vae_cli.sweeps.summary import close_sweeps
from vae_cli.sweeps.task import task


def train() -> None:
    """vae-train"""
    resumed = [argument for argument in sys.argv[1:] if argument.startswith("resume=")]
    if resumed and resumed != ["resume=null"]:
        reported("vae-train", lambda: _resume(sys.argv[1:]))
        return
    try:
        _hydra("vae-train", "config", task, "optimizer.lr=0.001")
    finally:
        finished = close_sweeps()
        found = report_searches()
    if not (finished and found):
        sys.exit(1)


def evaluate() -> None:
    """vae-eval"""
    _hydra("vae-eval", "eval", _evaluation, "nll_samples=1000")


def compare() -> None:
    """vae-compare"""
    sys.argv[1:] = arguments.positional(sys.argv[1:])
    _hydra("vae-compare", "compare", _comparison, "value=test.nll")


def _hydra(program: str, config: str, task: Callable[[DictConfig], Any], example: str) -> None:
    """Let Hydra read the command line."""
    if refused := arguments.refused_flag(sys.argv[1:], program, example):
        complain(program, refused)
        sys.exit(2)
    prepare_hydra()
    resolvers.register()
    sys.argv[1:] = arguments.with_quoted_paths(arguments.flags_first(sys.argv[1:]))
    main = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=config)
    reported(program, main(task))


def _evaluation(cfg: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    given = [arguments.unquoted(argument) for argument in HydraConfig.get().overrides.task]

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
    """With -m, report each failure at once: Hydra does the remaining jobs first and then reports the first failure only."""
    if HydraConfig.get().mode == RunMode.RUN:
        reported(program, work)
        return
    try:
        work()
    except Exception as error:
        overrides = " ".join(HydraConfig.get().overrides.task)
        complain(f"{program} {overrides}", one_line(error, program) or repr(error))
        raise


def _resume(words: list[str]) -> None:
    given = dict(word.partition("=")[::2] for word in words)
    folder = Path(given.pop("resume")).expanduser()
    external = given.pop("external_targets", "false")
    if external not in ("true", "false"):
        raise UserError(f"external_targets={external} is not allowed; allowed is true or false")
    if others := [key for key in given if key != "epochs"]:
        raise UserError(
            f"resume=… continues with the run's own configuration; {others[0]} cannot change, epochs can"
        )
    resume(folder, given.get("epochs"), external == "true")
