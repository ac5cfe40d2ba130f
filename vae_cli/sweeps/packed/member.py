"""One member of a packed sweep: its session, and the batch that it waits to train on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vae_cli.sweeps.job import Job
from vae_cli.sweeps.member import ObjectiveValue, enter_member, objective_value
from vae_cli.training.interrupts import Interrupts
from vae_cli.training.session import Session

if TYPE_CHECKING:
    from torch import Tensor

    from vae_cli.engine.trainable import Batch


@dataclass(eq=False)
class Member:
    """`batch` is that of the next step, and None before the start and after the end. The contexts that the member has
    entered are its own, so that its end leaves the other members as they are."""

    job: Job
    objective_value: ObjectiveValue = None
    run: Session | None = None
    batch: "Batch | None" = None
    interrupted: KeyboardInterrupt | None = None
    _batches: "Iterator[Batch]" = field(default_factory=lambda: iter(()))
    _contexts: ExitStack = field(default_factory=ExitStack)

    def start(self, interrupts: Interrupts, loaded: dict[str, Any]) -> None:
        """Come to the first step. `loaded` as in `Session`."""
        with self._contained():
            if run := enter_member(self.job, self._contexts, interrupts, loaded=loaded):
                self.run, self._batches = run, run.batches()
                self._advance()

    def after(self, step_metrics: "Tensor", seconds: float) -> None:
        """Do what is due after a step, which took `seconds` for all members together."""
        assert self.run is not None
        with self._contained():
            self.run.after(step_metrics, seconds)
            self._advance()

    def fail(self, error: BaseException) -> None:
        """End with an error of the common step."""
        with self._contained():
            raise error

    def _advance(self) -> None:
        """Come to the next step or to the end."""
        assert self.run is not None
        self.batch = next(self._batches, None)
        if self.batch is None:
            self.objective_value = objective_value(self.run.finish(), self.job.cfg.returns)
            self._contexts.close()

    @contextmanager
    def _contained(self) -> Iterator[None]:
        """Give an error to the contexts of this member. An interruption is kept, because the others save themselves before
        it is raised."""
        try:
            yield
        except BaseException as error:
            self.batch = None
            try:
                if not self._contexts.__exit__(type(error), error, error.__traceback__):
                    raise
            except KeyboardInterrupt as interrupted:
                self.interrupted = interrupted
