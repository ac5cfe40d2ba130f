"""Watches a sweep from the process that the user started, and ends it on Ctrl-C or after a failure.

It learns about the members from their folders only, so it works in the same way for every launcher.
"""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from vae_cli.errors import Interrupted
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.lock import is_held, owner_on_this_host
from vae_cli.runs.record import RunRecord
from vae_cli.sweeps.display import Display
from vae_cli.sweeps.folder import SweepFolder
from vae_cli.sweeps.status import FINAL, current_record

MONITORS: list["Monitor"] = []  # the monitor of the running sweep; empty in every process but the user's
SECONDS_TO_SAVE = 60.0
SWEEP_INTERRUPTED = "interrupted; the same command continues the sweep"


class Monitor(threading.Thread):
    """`expected` is the number of members, where it is known. `local` means that the members are processes of this
    machine, which end together with this process."""

    def __init__(self, sweep: SweepFolder, expected: int | None, local: bool) -> None:
        super().__init__(daemon=True)
        self.sweep, self.local, self.display = sweep, local, Display(expected)
        members = sweep.members()
        files = [file for member in members for file in (member.lock_file, member.summary_file)]
        self.times_before = {file: _time(file) for file in files}
        self.ended: dict[RunFolder, RunRecord] = {}
        self.asked_to_end: set[int] = set()  # processes; one may train several members
        self.closing = threading.Event()
        notes = [sweep.stop_note, *(member.refusal_note for member in members)]
        for note in notes:  # an earlier call left them
            note.unlink(missing_ok=True)
        if local:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._interrupted)

    def run(self) -> None:
        pause = 1.0
        while not self.closing.wait(pause):
            before = time.monotonic()
            self.look()
            pause = max(1.0, 5 * (time.monotonic() - before))  # reading thousands of folders takes long

    def close(self) -> list[RunRecord]:
        """Stop watching. Returns the records of all members that this call has started or refused."""
        self.closing.set()
        if self.is_alive():
            self.join()
        self.look()
        self.display.close()
        return [current_record(folder) for folder in self.visited()]

    def visited(self) -> list[RunFolder]:
        """The members that were locked or refused since the monitor began."""
        return [
            folder
            for folder in self.sweep.members()
            if self._is_new(folder.lock_file) or self._is_new(folder.refusal_note)
        ]

    def look(self) -> None:
        """Show what has changed. Once the sweep has been stopped, end the members that still run."""
        running = []
        for folder in self.visited():
            if folder in self.ended and self.ended[folder].status in FINAL:
                continue
            if is_held(folder.path):
                running.append(folder)
                self.ended.pop(folder, None)  # Slurm and Ray restart interrupted members
            elif folder not in self.ended:
                self.ended[folder] = current_record(folder)
                trained_now = self._is_new(folder.summary_file)
                self.display.show_end(self.ended[folder], len(self.ended), trained_now)
        if self.local and self.sweep.stop_reason():
            self._ask_to_end(running)
        self.display.show_running(running)

    def _is_new(self, file: Path) -> bool:
        """Whether the file was written since the monitor began. No clock is compared: that of a file server may differ."""
        time = _time(file)
        return time is not None and time != self.times_before.get(file)

    def _ask_to_end(self, running: list[RunFolder]) -> list[RunFolder]:
        """Send SIGTERM to the processes of our members, so that they save themselves. Each process gets it once,
        because a second signal would end it before it has saved its state. Returns the members of these processes."""
        owners = {folder: owner_on_this_host(folder.path) for folder in running}
        ours = {folder: pid for folder, pid in owners.items() if pid and _in_our_process_group(pid)}
        for pid in set(ours.values()) - self.asked_to_end:
            self.asked_to_end.add(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        return list(ours)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGINT and SIGTERM: start no further member, wait until the running members are saved, then end the
        launcher by an exception."""
        signal.signal(number, signal.default_int_handler)  # a second signal ends the sweep at once
        if self.sweep.path.is_dir():
            self.sweep.stop("the sweep was interrupted")
            saving = self._ask_to_end([folder for folder in self.visited() if is_held(folder.path)])
            end = time.monotonic() + SECONDS_TO_SAVE
            while any(is_held(folder.path) for folder in saving) and time.monotonic() < end:
                time.sleep(0.1)
        raise Interrupted(SWEEP_INTERRUPTED)


def _time(file: Path) -> int | None:
    """Nanoseconds of the last change; None without the file."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _in_our_process_group(pid: int) -> bool:
    """Whether a launcher of this machine started the process. A job of a cluster has another process group."""
    try:
        return pid != os.getpid() and os.getpgid(pid) == os.getpgrp()
    except ProcessLookupError:
        return False
