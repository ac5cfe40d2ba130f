"""A run as a generator: it asks for each training step and is sent what the step returned.

Whoever drives it chooses how steps are made: `alone` one after another, `vae_cli.together` those of many runs as one.
Everything else that a run does, from its lock to its summary, is the same code. Needs no torch.
"""

from collections.abc import Generator
from typing import Any, NamedTuple, TypeVar

from vae_cli.signals import Signals

T = TypeVar("T")
Steps = Generator[Any, Any, T]  # yields a vae_cli.train.Step, is sent its row


class Shared(NamedTuple):
    """What the runs of one process have in common: who listens to signals, and the data sets by their configuration."""

    signals: Signals
    data: dict[str, Any]


def alone(steps: Steps[T]) -> T:
    """Take each step as it is asked for; what the run returns."""
    row = None
    while True:
        try:
            row = steps.send(row)()
        except StopIteration as end:
            return end.value
        except BaseException as error:
            steps.throw(error)  # comes back as soon as the run has written down how it ended
            raise
