"""Signals that disturb a command: which ones, at what moment, to which of its processes."""

import os
import random
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import process_groups
from command_server import CommandServer, Finished, Running
from integration.trials import FILE_EVENTS, LONGEST, Undisturbed, changes

START = 2.0  # seconds, most of which a command needs for its imports
# seconds that the other processes of a command have to notice that it has ended; one that starts notices after its imports,
# which take seconds on a machine with other work
PATIENCE = 20.0
COMMAND, GROUP, CHILD = "command", "group", "child"


class How(NamedTuple):
    """Signals one after the other, and who gets them: the command's first process, all of its processes as from a
    terminal, or one of the others as from the kernel when memory runs out."""

    signals: tuple[signal.Signals, ...]
    to: str = COMMAND


HOW = {
    "SIGKILL": How((signal.SIGKILL,)),
    "SIGTERM": How((signal.SIGTERM,)),
    "SIGINT": How((signal.SIGINT,)),
    "SIGHUP": How((signal.SIGHUP,)),
    "SIGUSR2": How((signal.SIGUSR2,)),
    "Ctrl-C": How((signal.SIGINT,), GROUP),
    "Ctrl-C twice": How((signal.SIGINT, signal.SIGINT), GROUP),
    "SIGTERM, SIGKILL": How((signal.SIGTERM, signal.SIGKILL)),
    "SIGSTOP, SIGCONT": How((signal.SIGSTOP, signal.SIGCONT), GROUP),
    "SIGKILL of a child": How((signal.SIGKILL,), CHILD),
}
OFTEN = ("SIGKILL", "SIGKILL", "SIGTERM", "SIGINT")  # drawn more often than the others


class Kill(NamedTuple):
    """`fraction` of the undisturbed call's seconds ("clock"), of its changes of files ("files"), or of START seconds of a
    process that has imported nothing yet ("cold"), come before the signal."""

    how: str
    by: str
    fraction: float
    delay: float  # seconds between two signals

    def __str__(self) -> str:
        return f"{self.how} after {self.fraction:.3f} of the {self.by}, delay {self.delay:.3f}"


def draw(generator: random.Random, has_children: bool) -> Kill:
    names = [name for name, how in HOW.items() if how.to != CHILD or has_children]
    name = generator.choice([*names, *OFTEN])
    signals, to = HOW[name]
    by = "clock"
    if len(signals) == 1 and to == COMMAND:
        by = generator.choices(["clock", "files", "cold"], [9, 10, 1])[0]
    # Linux loses a SIGCONT that reaches a process within about a millisecond of its SIGSTOP, while it is being forked
    least = 0.02 if signal.SIGCONT in signals else 0
    return Kill(name, by, generator.random(), generator.uniform(least, 0.2))


def disturb(
    server: CommandServer, words: Sequence[str], place: Path, kill: Kill, whole: Undisturbed
) -> tuple[Finished, bool]:
    """Start a command and disturb it. Returns how it ended, and whether the signal met it."""
    if kill.by == "files":
        return _at_a_change(server, words, place, kill, whole)
    cold = kill.by == "cold"
    running = server.start(*words, cwd=place, time_limit=LONGEST, patience=PATIENCE, cold=cold)
    finished = running.wait(kill.fraction * (START if cold else whole.seconds))
    met = finished is None and _send(running, kill)
    finished = finished or running.wait()
    assert finished is not None
    return finished, met


def _at_a_change(
    server: CommandServer, words: Sequence[str], place: Path, kill: Kill, whole: Undisturbed
) -> tuple[Finished, bool]:
    """The command sends itself the signal, before it changes a file."""
    counter, at = place.with_name(f"{place.name}.changes"), 1 + int(whole.changes * kill.fraction)
    before = FILE_EVENTS, [str(counter), at, int(HOW[kill.how].signals[0])]
    finished = server.run(*words, cwd=place, time_limit=LONGEST, before=before, patience=PATIENCE)
    return finished, changes(counter) >= at


def _send(running: Running, kill: Kill) -> bool:
    how, pid = HOW[kill.how], running.pid
    if how.to == CHILD:
        children = [each for each in process_groups.members(pid) if each != pid]
        if not children:
            return False
        pid = random.Random(kill.fraction).choice(children)
    for i, number in enumerate(how.signals):
        if i and running.wait(kill.delay):
            break
        with suppress(ProcessLookupError):  # it has just ended
            (os.killpg if how.to == GROUP else os.kill)(pid, number)
    return True
