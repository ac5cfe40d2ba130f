"""The commands that read a run folder, and the figures that each leaves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from command_server import Finished
from run_comparison import metrics, saved, summary

SMALL = (
    "data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]", "data.train_size=48",
    "data.validation_size=16", "data.test_size=16", "latent.code_size=3", "network.hidden=[8]", "batch_size=16", "nll_samples=3",
    "log_every=1", "optimizer.lr=0.01",
)  # fmt: skip
AGAIN = ("vae-train", *SMALL, "hydra.run.dir=run")
EVALUATED = ("vae-eval", "run=run", "nll_samples=5", "test_images=12", "pictures=[]", "probe=false")
COMPARED = ("vae-compare", "run", "other", "out=out")
LOAD = """
import sys, vae_cli
from vae_cli.errors import LONGEST, UserError, printable
try:
    trained = vae_cli.load("run", sys.argv[2], device="cpu")
except UserError as error:
    print(f"python: {printable(str(error), LONGEST)}", file=sys.stderr)
    sys.exit(2)
sums = {name: value.double().sum().item() for name, value in trained.vae.state_dict().items()}
print(trained.step, trained.config.model_dump_json(), sums)
"""


class Reader(NamedTuple):
    """A command, and what it leaves: figures, all of which damage may not change without a word."""

    words: tuple[str, ...]
    figures: Callable[[Path, Finished], Any]
    only_looks: bool = False  # the run has finished: what it does not need may be missing


def of_the_run(here: Path, done: Finished) -> Any:
    """What a run is, but for times."""
    run = here / "run"
    return [saved(run, "last"), saved(run, "best"), metrics(run), summary(run)]


def of_the_evaluation(here: Path, done: Finished) -> Any:
    found = json.loads((here / "run/evaluation/summary.json").read_text())
    return [found[key] for key in ("figures", "per_unit", "step", "checkpoint", "data")]


def of_the_comparison(here: Path, done: Finished) -> Any:
    return json.loads((here / "out/compare.json").read_text().replace(f"{here}/", ""))["rows"]


def of_the_model(here: Path, done: Finished) -> Any:
    return done.stdout


READERS = {
    "the same command": Reader((*AGAIN, "epochs=2"), of_the_run, only_looks=True),
    "the same command, more epochs": Reader((*AGAIN, "epochs=3"), of_the_run),
    "resume": Reader(("vae-train", "resume=run"), of_the_run, only_looks=True),
    "resume, more epochs": Reader(("vae-train", "resume=run", "epochs=3"), of_the_run),
    "eval": Reader(EVALUATED, of_the_evaluation),
    "eval last": Reader((*EVALUATED, "checkpoint=last"), of_the_evaluation),
    "compare": Reader(COMPARED, of_the_comparison),
    "load": Reader(("python", LOAD, "best"), of_the_model),
    "load last": Reader(("python", LOAD, "last"), of_the_model),
}
