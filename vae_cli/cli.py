"""The entry points: what is typed."""

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vae_cli.checkpoint import write_json
from vae_cli.config import SWEEPS, accept, accept_comparison, accept_evaluation, config_folder, saved_config
from vae_cli.errors import UserError, nearest
from vae_cli.failures import one_line, reported
from vae_cli.folders import positional
from vae_cli.keys import COMPARISON, EVALUATION, RULES
from vae_cli.roll_call import earlier_failure, roll_call

log = logging.getLogger("vae_cli")

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
            _hydra("vae-train", "config", _job, RULES, "optimizer.lr=0.001")
        finally:
            for sweep in SWEEPS:
                roll_call(sweep)


def evaluate() -> None:
    """vae-eval"""
    _hydra("vae-eval", "eval", _evaluation, EVALUATION, "nll_samples=1000")


def compare() -> None:
    """vae-compare"""
    sys.argv[1:] = positional(sys.argv[1:])
    _hydra("vae-compare", "compare", _comparison, COMPARISON, "value=test.nll")


def _hydra(
    program: str, config: str, job: Callable[[DictConfig], Any], rules: Iterable[str], example: str
) -> None:
    """Let Hydra read the command line; refuse flags that it does not know."""
    for flag in sys.argv[1:]:
        if flag.startswith("--") and flag.partition("=")[0] not in FLAGS:
            key = nearest(flag.lstrip("-"), rules) or f"; for example {example}"
            print(f"{program}: there is no flag {flag}: keys are written key=value{key}", file=sys.stderr)
            sys.exit(2)
    sys.argv[1:] = [_quoted(argument) for argument in sys.argv[1:]]
    main = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=config)
    reported(program, main(job))


def _quoted(argument: str) -> str:
    """A path in Hydra's quotes: a sweep names its members by their overrides, and `=` and `,` mean something to it."""
    key, _, value = argument.partition("=")
    if key in PATHS and Path(value).expanduser().exists():
        return f"{key}={json.dumps(value, ensure_ascii=False)}"
    return argument


def _unquoted(argument: str) -> str:
    key, _, value = argument.partition("=")
    return f"{key}={json.loads(value)}" if value.startswith('"') else argument


def _job(cfg: DictConfig) -> float | None:
    """One run that Hydra has composed; in a sweep, one member, whose failure Hydra collects."""
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    if hydra_cfg.mode == RunMode.RUN:
        return reported("vae-train", lambda: _logged(lambda: _start(cfg, folder, progress=True)))
    try:
        return _logged(lambda: _member(cfg, folder), console=True)
    except Exception as error:
        if not (folder / "summary.json").exists():  # refused before the run could say so itself
            write_json(folder / "summary.json", {"status": "failed", "error": one_line(error) or repr(error)})
        if cfg.fail_fast:
            raise SystemExit(1) from error  # Hydra goes on after an Exception
        raise


def _member(cfg: DictConfig, folder: Path) -> float | None:
    if (earlier := earlier_failure(folder)) and not cfg.retry_failed:
        raise UserError(f"{folder.name} has {earlier}; retry_failed=true tries it again")
    return _start(cfg, folder, progress=False)


def _evaluation(cfg: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    arguments = [_unquoted(argument) for argument in HydraConfig.get().overrides.task]

    def work() -> None:
        settings = accept_evaluation(cfg)
        from vae_cli.publish import evaluate  # torch is imported here, after the settings were accepted

        evaluate(settings, arguments)

    if HydraConfig.get().mode == RunMode.RUN:
        reported("vae-eval", work)
    else:
        work()


def _comparison(cfg: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)

    def work() -> None:
        settings = accept_comparison(cfg)
        from vae_cli.comparison import compare  # numpy and matplotlib, after the settings were accepted

        compare(settings)

    if HydraConfig.get().mode == RunMode.RUN:
        reported("vae-compare", work)
    else:
        work()


def _start(cfg: DictConfig, folder: Path, progress: bool) -> float | None:
    config = accept(cfg)
    from vae_cli.run import run  # torch is imported here, after the configuration was accepted

    return run(config, folder, resume=(folder / "checkpoints/last.pt").exists(), progress=progress)


def _resume(arguments: list[str]) -> float | None:
    """vae-train resume=RUN_FOLDER [epochs=N]: the run's own configuration, with nothing but `epochs` changed."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    folder = Path(given.pop("resume")).expanduser()
    if others := [key for key in given if key != "epochs"]:
        raise UserError(
            f"resume=… goes on with the run's own configuration; {others[0]} cannot change, epochs can"
        )
    cfg = saved_config(folder)
    before = cfg.epochs
    if "epochs" in given:
        cfg.epochs = OmegaConf.from_dotlist([f"epochs={given['epochs']}"]).epochs
    config = accept(cfg)
    if not (folder / "checkpoints/last.pt").exists():
        raise UserError(
            f"resume={folder} has no checkpoints/last.pt: nothing to go on with; start the run anew"
        )
    _log_to(folder / "train.log")
    if cfg.epochs != before:
        log.info("epochs    %s → %s; everything else is as it was", before, cfg.epochs)
        OmegaConf.save(cfg, folder / ".hydra/config.yaml")
    from vae_cli.run import run

    return _logged(lambda: run(config, folder, resume=True))


def _log_to(file: Path) -> None:
    """What Hydra's job_logging does for a new run: plain lines on the console, dated ones in the file."""
    dated = logging.FileHandler(file)
    dated.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[logging.StreamHandler(sys.stdout), dated]
    )


def _logged(work: Callable[[], float | None], console: bool = False) -> float | None:
    """Let a run's failure stand in its own train.log; what is not the user's fault with its traceback."""
    try:
        return work()
    except Exception as error:
        record = logging.LogRecord(
            log.name, logging.ERROR, __file__, 0, one_line(error) or traceback.format_exc(), None, None
        )
        for handler in logging.getLogger().handlers:
            if console or isinstance(handler, logging.FileHandler):
                handler.emit(record)
        raise
