"""One run, from the lock of its folder to its summary. Imports torch only when there is something to train."""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING

from vae_cli.config.schema.run import RunConfig
from vae_cli.errors import Interrupted
from vae_cli.runs.folder import RunFolder, Summary
from vae_cli.runs.occupied import refuse_other_content
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.log import run_log
from vae_cli.training.outcome import outcome

if TYPE_CHECKING:
    from torch import Tensor

    from vae_cli.data.dataset import Dataset
    from vae_cli.engine.state import State
    from vae_cli.engine.trainable import Batch


class Session:
    """One run: trains what `config` describes into `folder`, from the last checkpoint if there is one.

        with Session(config, folder, interrupts) as run:
            for batch in run.batches():
                run.after(run.step(batch))
            summary = run.finish()

    Entering locks the folder, refuses a folder that holds another run, enters `place` (which may wait, for example for a
    free GPU), builds the experiment, loads the checkpoint, calls `record` (which writes .hydra/), and logs the first
    lines. It raises RunLocked, RunRefused, or UserError for what only the machine or the data can show: each leaves the
    folder unchanged. If the folder already holds the finished run, nothing is built: `batches` is empty, and `finish`
    returns the summary.

    `batches` ends after the last step, at early stopping, or at a stop request of `interrupts`. `finish` then tests and
    draws pictures; after a request to end it raises Interrupted.

    Leaving writes summary.json. After an exception, summary.json says how the run ended and train.log what failed;
    leaving then raises Interrupted with the command that resumes the run, Diverged with the last good checkpoint, or the
    exception itself.

    Several sessions may be open at once, each in its own ExitStack. They share `interrupts`, and `loaded`, a dictionary
    that keeps data sets for later sessions. Their steps may be made together: pack each `state` (see
    vae_cli.engine.packed) and give each run its metrics of a common step by `after(metrics, seconds)`. Runs with equal
    `position()` have batches of equal sizes until they end.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        interrupts: Interrupts,
        *,
        console: bool = False,
        record: Callable[[], object] | None = None,
        place: AbstractContextManager[object] | None = None,
        loaded: "dict[str, Dataset] | None" = None,
    ) -> None:
        self.config, self.folder, self.interrupts, self.console = config, folder, interrupts, console
        self.record, self.place, self.loaded = record, place or nullcontext(), loaded
        self.summary: Summary = {}
        self.finished = False  # whether the run had finished before this session
        self.stopped = False  # whether a stop request ended the batches

    def __enter__(self) -> "Session":
        with ExitStack() as contexts:
            self.log: logging.Logger = contexts.enter_context(run_log(self.folder.log_file, self.console))
            refuse_other_content(self.folder, self.config.plain())  # before the lock file is made
            contexts.enter_context(self.folder.locked())
            refuse_other_content(self.folder, self.config.plain())  # another process may have written since
            if done := self.folder.finished(self.config.epochs):
                self.log.info("%s has finished its %g epochs; %s", self.folder, done["epochs"], _more(done))
                if self.console and (damaged := self.folder.damaged(done)):  # reads the checkpoints
                    self.log.warning(
                        "%s: not as summary.json says, so damaged or changed by hand", ", ".join(damaged)
                    )
                self.summary, self.finished = done, True
            else:
                contexts.enter_context(self.place)
                self._open(contexts)
            self.contexts = contexts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self.contexts.__exit__(kind, error, traceback)

    def _open(self, contexts: ExitStack) -> None:
        """Builds the experiment, loads the checkpoint and opens the logs."""
        from vae_cli.build import build_runtime
        from vae_cli.engine.out_of_memory import out_of_memory_in_words
        from vae_cli.engine.trainable import SingleRun
        from vae_cli.training.console import announce
        from vae_cli.training.initial import initial_state, without_lost_best
        from vae_cli.training.logger import RunLogger
        from vae_cli.training.trainer import Trainer

        state = initial_state(self.config, self.folder, self.loaded)  # an error up to here changes no file
        if self.record:
            self.record()
        self.summary = contexts.enter_context(outcome(self.folder, self.log))
        contexts.enter_context(out_of_memory_in_words(self.config.model_sizes()))
        self.runtime = build_runtime(self.config)
        runner = self.runtime(SingleRun(state))
        announce(self.log, state.experiment, runner.description, self.folder, state.step)
        if lost := without_lost_best(state, self.folder):
            self.log.warning("%s", lost)
        logger = RunLogger(
            self.folder, self.log, state.step, state.experiment.total_steps, self.console, state.logged
        )
        contexts.enter_context(logger)
        logger.configuration(self.config, self.folder.name)
        self.trainer = Trainer(state, runner, logger, self.folder)
        contexts.callback(self._update_summary)

    @property
    def state(self) -> "State":
        return self.trainer.state

    def position(self) -> object:
        """The position in the epoch. Where several steps are made at once, also the position between two log lines,
        because a batch ends there."""
        trainer = self.trainer
        several = trainer.runner.steps > 1
        interval = (trainer.config.log_every, trainer.until_logged()) if several else ()
        return trainer.state.step % trainer.steps_per_epoch, *interval

    def batches(self) -> "Iterator[Batch]":
        """The batches of the run, each as `step` takes it. `after` must be called for each."""
        batches = self._batches()
        self.contexts.callback(batches.close)  # while it is open, it defers signals
        return batches

    def _batches(self) -> "Generator[Batch, None, None]":
        if self.finished:
            return
        with self.interrupts.defer():
            while (batch := self.trainer.next_batch()) is not None:
                yield batch
                if request := self.interrupts.take():
                    self.trainer.save("last")
                    if request == "end":
                        self.stopped = True
                        return

    def step(self, batch: "Batch") -> "Tensor":
        """Makes the steps of a batch; returns their metrics [steps, 1 + terms]."""
        return self.trainer.runner(batch)

    def after(self, step_metrics: "Tensor", seconds: float | None = None) -> None:
        """Logs, validates and saves as is due: see `vae_cli.training.trainer.Trainer.after`."""
        self.trainer.after(step_metrics, seconds)

    def finish(self) -> Summary:
        if self.finished:
            return self.summary
        if self.stopped:
            raise Interrupted
        from vae_cli.training.console import report
        from vae_cli.training.final import draw, test

        self.trainer.save_at_the_end()
        self._update_summary()
        self.summary |= test(self.trainer)
        draw(self.state.experiment, self.folder)
        self.summary["status"] = "finished"
        report(self.log, self.summary, self.folder)
        return self.summary

    def _update_summary(self) -> None:
        """Writes to the summary how far the run has come."""
        state, trainer = self.state, self.trainer
        self.summary |= {
            "steps": state.step,
            "epochs": trainer.epoch,
            "stopped_early": trainer.stopped_early(),
            "seconds": state.seconds,
            "examples_per_second": state.examples / state.seconds if state.seconds else None,
            "device": str(state.experiment.device),
        }


def _more(done: Summary) -> str:
    """How a finished run could go on."""
    if done.get("stopped_early"):
        return "it stopped early, because the validation did not improve any more, and more epochs change nothing"
    return "epochs=N with a larger N goes on"
