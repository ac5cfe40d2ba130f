"""What the trials disturb: small calls of the three commands, each in a place of its own, and how they end undisturbed."""

import shutil
from pathlib import Path
from typing import NamedTuple

from command_server import CommandServer

SMALL = (
    "data.height=8", "data.width=8", "data.rectangle_height=[2,4]", "data.rectangle_width=[2,4]",
    "data.train_size=61", "data.validation_size=20", "data.test_size=20",  # the last batch has 13 images
    "latent=bernoulli", "latent.code_size=4", "estimator.anneal_rate=0.005", "network.hidden=[8]",
    "objective.warmup_steps=9", "schedule=cosine", "schedule.warmup_steps=3", "optimizer.lr=0.02",
    "corruption=salt_and_pepper", "corruption.fraction=0.05", "batch_size=16", "log_every=1", "nll_samples=5",
    "checkpoint.epochs=1",
)  # fmt: skip
SWEEP = (
    "-m",
    *SMALL,
    "epochs=4",
    "seed=1,2",
    "hydra.sweep.dir=sweep",
    "hydra.sweep.subdir='${hydra.job.num}'",
)
FILE_EVENTS = Path(__file__).with_name("file_events.py")
# Members that were saved at different steps go on one by one, and their sums are then rounded in another order.
PACKED = ("hydra/launcher=packed", "precision=float64")
ROUNDING = 1e-9
LONGEST = 120.0  # seconds: a command that takes longer hangs


class Call(NamedTuple):
    """A command in its place. `on` names the call that has made what it reads, and `resumed` is another call that goes on
    with what it has begun. The call ends bit for bit as if undisturbed, or up to a `tolerance`."""

    words: tuple[str, ...]
    on: str | None = None
    resumed: tuple[str, ...] | None = None
    tolerance: float = 0.0


CALLS = {
    "train": Call(
        ("vae-train", *SMALL, "epochs=6", "hydra.run.dir=run"), resumed=("vae-train", "resume=run")
    ),
    "train, saved at each step": Call(
        ("vae-train", *SMALL, "epochs=3", "checkpoint.minutes=1e-9", "hydra.run.dir=run"),
        resumed=("vae-train", "resume=run"),
    ),
    "resume": Call(("vae-train", "resume=run", "epochs=9"), on="train"),
    "eval": Call(
        ("vae-eval", "run=run", "nll_samples=5", "samples=9", "pictures=[samples,rates,bits]"), on="train"
    ),
    "eval again": Call(
        ("vae-eval", "run=run", "nll_samples=9", "samples=5", "pictures=[samples,curves]"), on="eval"
    ),
    "sweep": Call(("vae-train", *SWEEP)),
    "packed": Call(("vae-train", *SWEEP, *PACKED), tolerance=ROUNDING),
    "packed in two processes": Call(
        ("vae-train", *SWEEP, *PACKED, "hydra.launcher.processes=2"), tolerance=ROUNDING
    ),
    "joblib": Call(("vae-train", *SWEEP, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")),
    "compare": Call(("vae-compare", "sweep", "out=comparison"), on="sweep"),
    "compare again": Call(("vae-compare", "sweep", "out=comparison", "value=test.nll"), on="compare"),
}


class Undisturbed(NamedTuple):
    """A call that nothing disturbed."""

    name: str
    place: Path
    seconds: float
    changes: int  # of files, in the command's own process


def changes(counter: Path) -> int:
    return int(counter.read_text())


class Trials:
    """Makes each call once without disturbance, and new places to disturb it in."""

    def __init__(self, server: CommandServer, folder: Path) -> None:
        self.server, self._folder, self._done = server, folder, dict[str, Undisturbed]()

    def undisturbed(self, name: str) -> Undisturbed:
        if name not in self._done:
            place = self._folder / name
            self.prepare(name, place)
            counter = self._folder / f"{name}.changes"
            before = FILE_EVENTS, [str(counter), None, None]
            done = self.server.run(*CALLS[name].words, cwd=place, time_limit=LONGEST, before=before)
            assert done.returncode == 0, done.stderr
            self._done[name] = Undisturbed(name, place, done.seconds, changes(counter))
        return self._done[name]

    def prepare(self, name: str, place: Path) -> None:
        """Make a place for the call, with what it reads."""
        shutil.rmtree(place, ignore_errors=True)
        if on := CALLS[name].on:
            shutil.copytree(self.undisturbed(on).place, place)
        else:
            place.mkdir(parents=True)
