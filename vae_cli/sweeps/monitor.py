"""Watches a sweep from the process that the user started, and ends it on Ctrl-C or after a failure.

It learns about the members from the registry of the call, so it works in the same way for every launcher.
"""

import os
import signal
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType

from vae_cli.errors import Interrupted
from vae_cli.runs.interrupts import SIGNALS
from vae_cli.runs.lock import is_held, owner_on_this_host
from vae_cli.sweeps.call import NOT_STARTED, RUNNING, Entry, SweepCall
from vae_cli.sweeps.display import Display
from vae_cli.sweeps.processes import SECONDS_TO_SAVE
from vae_cli.sweeps.status import record_of

MONITORS: list["Monitor"] = []  # the monitor of the running sweep; empty in every process but the user's
SWEEP_INTERRUPTED = "interrupted; the same command continues the sweep"


class Monitor(threading.Thread):
    """`local` means that the members are processes of this machine, which end together with this process."""

    def __init__(self, call: SweepCall, local: bool) -> None:
        super().__init__(daemon=True)
        self.call, self.local = call, local
        self.shown: dict[int, Entry] = {}  # members whose end has been shown
        self.asked_to_end: set[int] = set()  # processes; one may train several members
        self.closing = threading.Event()
        self.contexts = ExitStack()

    def begin(self, expected: int | None) -> None:
        """Begin to watch. `expected` is the number of members, where it is known."""
        self.expected, self.display = expected, Display(expected)
        self.contexts.enter_context(self.call.begun())
        if self.local:
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                    signal.signal(number, self._interrupted)
        self.start()

    @property
    def has_begun(self) -> bool:
        """False for a sweep that was refused."""
        return self.ident is not None

    def run(self) -> None:
        pause = 1.0
        while not self.closing.wait(pause):
            before = time.monotonic()
            with suppress(OSError):  # of a terminal that has gone, or too many open files
                self.look()
            pause = max(1.0, 5 * (time.monotonic() - before))  # reading thousands of entries takes long

    def close(self) -> list[Entry]:
        """Stop watching. Returns what all members have noted."""
        self.closing.set()
        self.join()
        with suppress(OSError):
            self.look()
        self.display.close()
        entries = self.call.entries()
        self.contexts.close()
        return entries

    def look(self) -> None:
        """Show what has changed. Once the sweep has been stopped, end the members that still run."""
        running = []
        for entry in self.call.entries():
            if entry.status == RUNNING and entry.is_alive():
                running.append(entry)
                self.shown.pop(entry.number, None)  # Slurm and Ray restart interrupted members
            elif self.shown.get(entry.number) != entry and entry.status != NOT_STARTED:
                self.shown[entry.number] = entry
                member = record_of(entry, self.call.name(entry))
                self.display.show_end(member, len(self.shown), entry.before)
        training = [Path(entry.folder) for entry in running if is_held(Path(entry.folder))]
        if self.local and self.call.stop_reason():
            self._ask_to_end(training)
        self.display.show_running(training)

    def _ask_to_end(self, training: list[Path]) -> list[Path]:
        """Send SIGTERM to the processes of our members, so that they save themselves. Each process gets it once,
        because a second signal would end it before it has saved its state. Returns the folders of these members."""
        owners = {folder: owner_on_this_host(folder) for folder in training}
        ours = {folder: pid for folder, pid in owners.items() if pid and _in_our_process_group(pid)}
        for pid in set(ours.values()) - self.asked_to_end:
            self.asked_to_end.add(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        return list(ours)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: start no further member, wait until the running members are saved, then end the launcher by an
        exception."""
        signal.signal(number, signal.default_int_handler)  # a second signal ends the sweep at once
        with suppress(OSError):
            self.call.stop("the sweep was interrupted")
        folders = [Path(entry.folder) for entry in self.call.entries() if entry.status == RUNNING]
        saving = self._ask_to_end([folder for folder in folders if is_held(folder)])
        end = time.monotonic() + SECONDS_TO_SAVE
        while any(is_held(folder) for folder in saving) and time.monotonic() < end:
            time.sleep(0.1)
        raise Interrupted.by_signal(SWEEP_INTERRUPTED)


def _in_our_process_group(pid: int) -> bool:
    """Whether a launcher of this machine started the process. A job of a cluster has another process group."""
    try:
        return pid != os.getpid() and os.getpgid(pid) == os.getpgrp()
    except ProcessLookupError:
        return False
