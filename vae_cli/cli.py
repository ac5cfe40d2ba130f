"""The entry points: what is typed."""

import json
import logging
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from vae_cli.config.arguments import positional
from vae_cli.config.compose import accept_comparison, accept_evaluation, config_folder, prefer_our_options
from vae_cli.config.failures import one_line, reported
from vae_cli.config.keys import COMPARISON, EVALUATION, RULES
from vae_cli.errors import UserError, did_you_mean
from vae_cli.sweeps.job import job, resume
from vae_cli.sweeps.monitor import MONITORS
from vae_cli.sweeps.search import conclude
from vae_cli.sweeps.summary import roll_call

HYDRAS = (
    "help hydra-help version cfg resolve package run multirun shell-completion config-path config-name config-dir "
    "experimental-rerun info"
)
PATHS = ("run", "anomaly", "data.root", "data.path")
FLAGS = {f"--{flag}" for flag in HYDRAS.split()}


def train() -> None:
    """vae-train"""
    resumed = [argument for argument in sys.argv[1:] if argument.startswith("resume=")]
    if resumed and resumed != ["resume=null"]:
        reported("vae-train", lambda: _resume(sys.argv[1:]))
    else:
        try:
            _hydra("vae-train", "config", job, RULES, "optimizer.lr=0.001")
        finally:
            whole = [roll_call(watch.sweep, watch.close()) for watch in MONITORS]
            found = conclude()
        if not (all(whole) and found):
            sys.exit(1)


def evaluate() -> None:
    """vae-eval"""
    _hydra("vae-eval", "eval", _evaluation, EVALUATION, "nll_samples=1000")


def compare() -> None:
    """vae-compare"""
    sys.argv[1:] = positional(sys.argv[1:])
    _hydra("vae-compare", "compare", _comparison, COMPARISON, "value=test.nll")


def _hydra(
    program: str, config: str, task: Callable[[DictConfig], Any], rules: Iterable[str], example: str
) -> None:
    """Let Hydra read the command line; refuse flags that it does not know."""
    for flag in sys.argv[1:]:
        if flag.startswith("--") and flag.partition("=")[0] not in FLAGS:
            key = did_you_mean(flag.lstrip("-"), rules) or f"; for example {example}"
            print(f"{program}: there is no flag {flag}: keys are written key=value{key}", file=sys.stderr)
            sys.exit(2)
    prefer_our_options()
    sweep = not {"-m", "--multirun"}.isdisjoint(sys.argv)
    if sweep and any(flag.partition("=")[0] in ("-c", "--cfg") for flag in sys.argv[1:]):
        print(f"{program}: --cfg shows the configuration of one run: leave -m out", file=sys.stderr)
        sys.exit(2)
    sys.argv[1:] = [_quoted(argument, sweep) for argument in sys.argv[1:]]
    main = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=config)
    reported(program, main(task))


def _quoted(argument: str, sweep: bool) -> str:
    """A path in Hydra's quotes: a sweep names its members by their overrides, and `=` and `,` mean something to it.
    A sweep's paths are absolute: its members may run in other folders."""
    key, _, value = argument.partition("=")
    if key in PATHS and Path(value).expanduser().exists():
        value = str(Path(value).expanduser().absolute()) if sweep else value
        return f"{key}={json.dumps(value, ensure_ascii=False)}"
    if key == "hydra.sweep.dir" and value and value[0] not in "'\"$/":
        return f"{key}={json.dumps(str(Path(value).expanduser().absolute()), ensure_ascii=False)}"
    return argument


def _unquoted(argument: str) -> str:
    key, _, value = argument.partition("=")
    return f"{key}={json.loads(value)}" if value.startswith('"') else argument


def _evaluation(cfg: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    arguments = [_unquoted(argument) for argument in HydraConfig.get().overrides.task]

    def work() -> None:
        settings = accept_evaluation(cfg)
        from vae_cli.evaluation.evaluate import (
            evaluate,  # torch is imported here, after the settings were accepted
        )

        evaluate(settings, arguments)

    _carried_out("vae-eval", work)


def _comparison(cfg: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)

    def work() -> None:
        settings = accept_comparison(cfg)
        from vae_cli.comparison.compare import (
            compare,  # numpy and matplotlib, after the settings were accepted
        )

        compare(settings)

    _carried_out("vae-compare", work)


def _carried_out(program: str, work: Callable[[], None]) -> None:
    """With -m each failure is said at once: Hydra does the rest first, and then tells of one alone."""
    if HydraConfig.get().mode == RunMode.RUN:
        reported(program, work)
        return
    try:
        work()
    except Exception as error:
        overrides = " ".join(HydraConfig.get().overrides.task)
        print(f"{program} {overrides}: {one_line(error, program) or repr(error)}", file=sys.stderr)
        raise


def _resume(arguments: list[str]) -> None:
    given = dict(argument.partition("=")[::2] for argument in arguments)
    folder = Path(given.pop("resume")).expanduser()
    if others := [key for key in given if key != "epochs"]:
        raise UserError(
            f"resume=… goes on with the run's own configuration; {others[0]} cannot change, epochs can"
        )
    resume(folder, given.get("epochs"))
