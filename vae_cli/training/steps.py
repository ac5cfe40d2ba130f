"""A run as a generator: it asks for its training steps and is sent the rows that they returned.

Whoever drives it chooses how steps are made: `alone` its own alone, `vae_cli.sweeps.packed.scheduler` those of many runs as one.
Everything else that a run does, from its lock to its summary, is the same code. Needs no torch.
"""

from collections.abc import Generator
from typing import Any, NamedTuple, TypeVar

from vae_cli.training.interrupts import Signals

T = TypeVar("T")
Asking = Generator[Any, Any, T]  # yields a vae_cli.training.trainer.Steps, is sent its rows


class Shared(NamedTuple):
    """What the runs of one process have in common: who listens to signals, and the data sets by their configuration."""

    signals: Signals
    data: dict[str, Any]


def alone(run: Asking[T]) -> T:
    """Make the steps as they are asked for; what the run returns."""
    rows = None
    while True:
        try:
            rows = run.send(rows)()
        except StopIteration as end:
            return end.value
        except BaseException as error:
            run.throw(error)  # comes back as soon as the run has written down how it ended
            raise
