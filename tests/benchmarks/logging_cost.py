"""Seconds of training with all logging at its defaults against seconds of training without any.

Both train the default run (24×24 rectangles, 576-400-20) with fewer epochs, in one process, in pairs. With logging:
TensorBoard, metrics.jsonl, the progress bar, epoch lines, pictures, histograms and checkpoints, as in vae-train. Without:
the same steps, and nothing else. The validation bound is evaluation, not logging: its time is subtracted.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from step import machine, with_quartiles
from torch import Tensor

from vae_cli.build import build, build_runtime
from vae_cli.config.compose import accept
from vae_cli.config.schema.run import RunConfig
from vae_cli.config.yaml_comments import config_folder
from vae_cli.engine.state import State
from vae_cli.engine.trainable import SingleRun
from vae_cli.metrics import bound
from vae_cli.reporting import plots, previews
from vae_cli.runs import checkpoint
from vae_cli.runs.folder import RunFolder
from vae_cli.training.log import run_log
from vae_cli.training.logger import RunLogger
from vae_cli.training.trainer import Trainer

TARGET = 1.05
TIMED = [(bound, "bound"), (RunLogger, "log"), (RunLogger, "image"), (RunLogger, "flush"), (checkpoint, "save"),
           (plots, "grid"), (previews, "prior_samples"), (previews, "observed_and_reconstructed")]  # fmt: skip
spent: Counter[str] = Counter()  # seconds within each function, with those that it calls


def timed_function(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent[name] += time.perf_counter() - start

    return timed


class Silent(Trainer):
    """Makes the steps, and nothing else."""

    def after(self, step_metrics: Tensor, seconds: float | None = None) -> None:
        pass

    def save(self, name: str) -> None:
        pass


def seconds(config: RunConfig, kind: type[Trainer]) -> float:
    state = State(build(config), torch.Generator().manual_seed(0))
    runner = build_runtime(config)(SingleRun(state))
    with tempfile.TemporaryDirectory() as name, run_log(Path(name) / "train.log", console=False) as log:
        folder = RunFolder(Path(name))
        with RunLogger(folder, log, 0, state.experiment.total_steps, progress=True) as logger:
            trainer = kind(state, runner, logger, folder)
            before, start = spent["bound"], time.perf_counter()
            while (batch := trainer.next_batch()) is not None:
                trainer.after(runner(batch))
            trainer.save("last")
            took = time.perf_counter() - start
    return took - (spent["bound"] - before)


def main() -> None:
    parser = argparse.ArgumentParser(description="training with all logging / training with none")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    print(machine())
    for home, name in TIMED:
        setattr(home, name, timed_function(name, getattr(home, name)))
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = accept(compose("config", ["device=cpu", f"epochs={given.epochs}"]))
    seconds(config, Trainer)  # imports, and the data
    spent.clear()
    pairs = [(seconds(config, Trainer), seconds(config, Silent)) for _ in range(given.pairs)]
    ratios = [a / b for a, b in pairs]
    logged = sum(a for a, _ in pairs)
    print(
        f"n = {given.pairs} pairs of {given.epochs} epochs; validation bounds ({spent['bound'] / len(pairs):.2f} s each way) taken off"
    )
    print(f"with logging {with_quartiles([a for a, _ in pairs], 2)} s, without {with_quartiles([b for _, b in pairs], 2)} s, ratio "
          f"{with_quartiles(ratios, 3)}   target {TARGET} {'met' if median(ratios) <= TARGET else 'MISSED'}")  # fmt: skip
    for name, took in spent.most_common():
        if name != "bound":
            print(f"  {name:28}{100 * took / logged:6.2f} % of the training with logging")


if __name__ == "__main__":
    main()
