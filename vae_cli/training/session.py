"""One run, from the lock of its folder to its summary. Imports torch only when there is something to train."""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

from vae_cli.config.schema.run import RunConfig
from vae_cli.errors import Interrupted
from vae_cli.runs import checkpoint
from vae_cli.runs.folder import RunFolder, Summary
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.log import run_log
from vae_cli.training.outcome import outcome

if TYPE_CHECKING:
    from torch import Tensor

    from vae_cli.data.dataset import Dataset
    from vae_cli.engine.experiment import Experiment
    from vae_cli.engine.state import State
    from vae_cli.engine.trainable import Batch


class Session:
    """One run that trains what `config` describes into `folder`, from its last checkpoint where there is one.

        with Session(config, folder, interrupts) as run:
            for batch in run.batches():
                run.after(run.step(batch))
            summary = run.finish()

    Entering locks the folder, refuses one that holds another run, calls `record` (which writes .hydra/), enters `place`
    (what the run waits for: a free GPU, say), builds the parts, loads the checkpoint and logs the first lines. Raises
    RunLocked or RunRefused, and leaves the folder as it is; UserError for what only the machine or the data can show.
    Where the folder already has a finished run, nothing is built: `batches` is empty, and `finish` returns its summary.

    `batches` ends after the last step, at early stopping or at a stop request of `interrupts`, which the sessions of
    one process share. `finish` then tests, draws, writes summary.json and returns it; after a request to end it raises
    Interrupted.

    Leaving with an exception writes to summary.json how the run ended, and to train.log what failed. It raises
    Interrupted with the command that resumes the run, Diverged with the last good checkpoint, or the exception itself.

    Several sessions may be open at once, each in its own ExitStack. Their steps may be made together: `state` is what
    such a step changes (see vae_cli.engine.packed), and each run is given its own metrics of the step by `after(metrics,
    seconds)`, with the seconds that the common step took: the time that went to the other runs is not training time.
    Runs of equal `position()` have batches of equal sizes until they end. `loaded` is a dictionary that keeps data sets
    for the sessions to come.
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
        self.finished = False  # before this session began
        self.stopped = False  # at a stop request

    def __enter__(self) -> "Session":
        with ExitStack() as contexts:
            self.log: logging.Logger = contexts.enter_context(run_log(self.folder.log_file, self.console))
            contexts.enter_context(self.folder.locked())
            self.folder.refuse_other_configuration(self.config.plain())
            if done := self.folder.finished(self.config.epochs):
                self.log.info(
                    "%s has finished its %g epochs; epochs=N with a larger N goes on",
                    self.folder,
                    done["epochs"],
                )
                self.summary, self.finished = done, True
            else:
                if self.record:
                    self.record()
                contexts.enter_context(self.place)
                self._open(contexts)
            self.contexts = contexts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self.contexts.__exit__(kind, error, traceback)

    def _open(self, contexts: ExitStack) -> None:
        """Builds the parts and loads the checkpoint."""
        from vae_cli.build import build_runtime
        from vae_cli.engine.trainable import SingleRun
        from vae_cli.training.console import announce
        from vae_cli.training.logger import RunLogger
        from vae_cli.training.trainer import Trainer

        last = self.folder.last
        saved = checkpoint.load(last, self.config.plain()) if last.exists() else None
        parts = self._build() if saved else None  # what fails here leaves an earlier summary as it is
        self.summary = contexts.enter_context(outcome(self.folder, self.log))
        state = self._state(parts or self._build(), saved)
        self.runtime = build_runtime(self.config)
        runner = self.runtime(SingleRun(state))
        announce(self.log, state.experiment, runner.description, self.folder, state.step)
        logger = RunLogger(self.folder, self.log, state.step, state.experiment.total_steps, self.console)
        contexts.callback(logger.close)
        contexts.callback(lambda: logger.end(self.summary["status"] == "finished"))
        logger.configuration(self.config, self.folder.name)
        self.trainer = Trainer(state, runner, logger, self.folder)
        contexts.callback(self._count)

    def _build(self) -> "Experiment":
        from vae_cli.build import build

        return build(self.config, self.loaded)

    def _state(self, parts: "Experiment", saved: dict[str, Any] | None) -> "State":
        from torch import Generator

        from vae_cli.engine.state import State

        state = State(parts, Generator(parts.device).manual_seed(self.config.seed))
        if saved is not None:
            state.load_state_dict(saved)
        return state

    @property
    def state(self) -> "State":
        return self.trainer.state

    def position(self) -> object:
        """The batch of the epoch. Where several steps are made at once, also the step between two log lines, because
        they end there."""
        trainer = self.trainer
        several = trainer.runner.steps > 1
        interval = (trainer.config.log_every, trainer.until_logged()) if several else ()
        return trainer.state.step % trainer.steps_per_epoch, *interval

    def batches(self) -> "Iterator[Batch]":
        batches = self._batches()
        self.contexts.callback(batches.close)  # it defers signals for as long as it is open
        return batches

    def _batches(self) -> "Generator[Batch, None, None]":
        if self.finished:
            return
        with self.interrupts.defer():
            for batch in self.trainer.batches():
                yield batch
                if request := self.interrupts.take():
                    self.trainer.save("last")
                    if request == "end":
                        self.stopped = True
                        return

    def step(self, batch: "Batch") -> "Tensor":
        """Makes the steps of a batch; their metrics [steps, 3]."""
        return self.trainer.runner(batch)

    def after(self, step_metrics: "Tensor", seconds: float | None = None) -> None:
        """Counts a step and does what is due: see `vae_cli.training.trainer.Trainer.after`."""
        self.trainer.after(step_metrics, seconds)

    def finish(self) -> Summary:
        if self.finished:
            return self.summary
        if self.stopped:
            raise Interrupted
        from vae_cli.training.console import report
        from vae_cli.training.final import draw, test

        self.trainer.save_at_the_end()
        self._count()
        self.summary |= test(self.trainer)
        draw(self.state.experiment, self.folder)
        self.summary["status"] = "finished"
        report(self.log, self.summary, self.folder)
        return self.summary

    def _count(self) -> None:
        """Notes in the summary how far the run has come."""
        state, trainer = self.state, self.trainer
        self.summary |= {
            "steps": state.step,
            "epochs": trainer.epoch,
            "stopped_early": trainer.stopped_early(),
            "seconds": state.seconds,
            "examples_per_second": state.examples / state.seconds if state.seconds else None,
            "device": str(state.experiment.device),
        }
