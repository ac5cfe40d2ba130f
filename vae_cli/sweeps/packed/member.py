"""One member of a packed sweep: its session, and the batch that it waits to train on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
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
    """A context: leaving it with an error ends the member's session with that error, unless the session has ended.

    `batch` is the batch of the next step. It is None before the start and after the end. The session is open in an
    ExitStack of the member's own, so that the end of one member leaves the sessions of the others open.
    """

    job: Job
    objective_value: ObjectiveValue = None
    session: Session | None = None
    batch: "Batch | None" = None
    interrupted: KeyboardInterrupt | None = None
    _batches: "Iterator[Batch]" = field(default_factory=lambda: iter(()))
    _contexts: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "Member":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and self.batch is not None:
            self.fail(error)

    def start(self, interrupts: Interrupts, loaded: dict[str, Any]) -> None:
        """Come to the first step. `loaded` as in `Session`."""
        with self._ended_by_errors():
            self.session = enter_member(self.job, self._contexts, interrupts, loaded=loaded)
            self._batches = self.session.batches()
            self._advance()

    def after(self, step_metrics: "Tensor", seconds: float) -> None:
        """Do what is due after a step, which took `seconds` for all members together."""
        assert self.session is not None
        with self._ended_by_errors():
            self.session.after(step_metrics, seconds)
            self._advance()

    def fail(self, error: BaseException) -> None:
        """End with an error that came from outside this member, for example from the common step."""
        with self._ended_by_errors():
            raise error

    def _advance(self) -> None:
        """Come to the next step or to the end."""
        assert self.session is not None
        self.batch = next(self._batches, None)
        if self.batch is None:
            self.objective_value = objective_value(self.session.finish(), self.job.cfg.returns)
            self._contexts.close()

    @contextmanager
    def _ended_by_errors(self) -> Iterator[None]:
        """Give an error to the session of this member. An interruption is kept and not raised, because the other
        members save themselves first."""
        try:
            yield
        except BaseException as error:
            self.batch = None
            try:
                if not self._contexts.__exit__(type(error), error, error.__traceback__):
                    raise
            except KeyboardInterrupt as interrupted:
                self.interrupted = interrupted
