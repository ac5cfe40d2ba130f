"""A sweep while it runs, seen from the process that the user started: a line for each member, and how it is ended.
It looks at the members' folders, so that it is the same for every launcher."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from vae_cli.errors import Interrupted
from vae_cli.runs import record
from vae_cli.runs.folder import FINISHED, RunFolder
from vae_cli.runs.lock import is_held, owner, owner_on_this_host
from vae_cli.runs.metrics_log import latest
from vae_cli.sweeps.folder import SweepFolder

if TYPE_CHECKING:
    from tqdm import tqdm  # imported where it draws: whoever asks for help need not wait

MONITORS: list["Monitor"] = []  # the sweep under way, in the process that the user started alone
SECONDS_BETWEEN_LINES = 30.0
SECONDS_TO_SAVE = 60.0
LINES = 8  # of running members at a time
FOR_GOOD = ("finished", "diverged", "failed")  # members that no launcher brings back


class Monitor(threading.Thread):
    """`expected`: how many members there will be, where that is known; `local`: they are processes of this machine that
    end with this one."""

    def __init__(self, sweep: SweepFolder, expected: int | None, local: bool) -> None:
        super().__init__(daemon=True)
        self.sweep, self.expected, self.local = sweep, expected, local
        self.started = time.time()
        self.ended: dict[RunFolder, record.RunRecord] = {}
        self.bars: dict[RunFolder, tqdm[Any]] = {}
        self.asked: set[int] = set()  # processes, to end; one may train several members
        self.totals: dict[RunFolder, int | None] = {}
        self.closing = threading.Event()
        self.next_lines = time.monotonic() + SECONDS_BETWEEN_LINES
        for note in (
            sweep.stop_note,
            *(member.refusal_note for member in sweep.members()),
        ):  # of an earlier call
            note.unlink(missing_ok=True)
        if local:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._interrupted)

    def run(self) -> None:
        pause = 1.0
        while not self.closing.wait(pause):
            before = time.monotonic()
            self.look()
            pause = max(1.0, 5 * (time.monotonic() - before))  # thousands of members on a slow disk

    def close(self) -> list[record.RunRecord]:
        """Stop watching; every member that this call came to."""
        self.closing.set()
        if self.is_alive():
            self.join()
        self.look()
        for bar in self.bars.values():
            bar.close()
        return [_read(folder) for folder in self.visited()]

    def visited(self) -> list[RunFolder]:
        """The members whose lock was taken, or refused, since the watch began."""
        return [
            folder
            for folder in self.sweep.members()
            if self._is_new(folder.lock_file) or self._is_new(folder.refusal_note)
        ]

    def _is_new(self, file: Path) -> bool:
        try:
            return file.stat().st_mtime >= self.started - 1  # file systems round
        except FileNotFoundError:
            return False

    def look(self) -> None:
        running = []
        for folder in self.visited():
            if folder in self.ended and self.ended[folder].status in FOR_GOOD:
                continue
            if is_held(folder.path):
                running.append(folder)
                self.ended.pop(folder, None)  # Slurm and Ray bring members back
            elif folder not in self.ended:
                self._end(folder)
        if self.local and self.sweep.stop_reason():
            self._signal(running)
        if sys.stdout.isatty():
            for folder in running:
                self._draw(folder)
        elif time.monotonic() > self.next_lines:
            self.next_lines = time.monotonic() + SECONDS_BETWEEN_LINES
            for folder in running[:LINES]:
                print(f"running    {folder.name}  {_progress(folder, self._epochs(folder))}", flush=True)

    def _end(self, folder: RunFolder) -> None:
        from tqdm import tqdm

        member = self.ended[folder] = _read(folder)
        if folder in self.bars:
            self.bars.pop(folder).close()
        of = f"/{self.expected}" if self.expected else ""
        before = "" if self._is_new(folder.summary_file) or not member.metrics else ", before"
        said = f"{member.status:10} {member.name}  {_figures(member)}{before}"
        tqdm.write(f"{said}  [{len(self.ended)}{of}]", file=sys.stdout)
        sys.stdout.flush()

    def _draw(self, folder: RunFolder) -> None:
        from tqdm import tqdm

        if not (epochs := self._epochs(folder)):
            return
        if folder not in self.bars:
            self.bars[folder] = tqdm(
                total=epochs, leave=False, dynamic_ncols=True, file=sys.stdout,
                bar_format="{percentage:3.0f} % {bar:20} {desc}",
            )  # fmt: skip
        if progress := latest(folder.metrics_file):
            self.bars[folder].n = progress[0]
        self.bars[folder].set_description_str(f"{_progress(folder, epochs)}  {folder.name}")

    def _epochs(self, folder: RunFolder) -> int | None:
        if not self.totals.get(folder):  # its configuration may not be there yet
            self.totals[folder] = record.read(folder, folder.name).config.get("epochs")
        return self.totals[folder]

    def _signal(self, running: list[RunFolder]) -> list[RunFolder]:
        """Ask the members that run as processes of ours to save themselves and end; once, for a second signal would end
        them before they have."""
        ours = [folder for folder in running if (pid := owner_on_this_host(folder.path)) and _is_ours(pid)]
        for folder in ours:
            if (pid := owner_on_this_host(folder.path)) and pid not in self.asked:
                self.asked.add(pid)
                os.kill(pid, signal.SIGTERM)
        return ours

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """SIGINT and SIGTERM of a sweep: nothing new starts, what runs is saved, then the launcher is stopped."""
        signal.signal(number, signal.default_int_handler)  # once more ends it at once
        if self.sweep.path.is_dir():
            self.sweep.stop("the sweep was interrupted")
            saving = self._signal([folder for folder in self.visited() if is_held(folder.path)])
            end = time.monotonic() + SECONDS_TO_SAVE
            while any(is_held(folder.path) for folder in saving) and time.monotonic() < end:
                time.sleep(0.1)
        raise Interrupted("interrupted; the same command goes on with the sweep")


def _read(folder: RunFolder) -> record.RunRecord:
    """What the folder says, and what only this host can tell."""
    member, note = record.read(folder, folder.name), folder.refusal_note
    if is_held(folder.path):
        return member._replace(status="running", error=owner(folder.path))
    if note.exists():
        return member._replace(status="refused", error=note.read_text())
    if owner(folder.path) and not member.error and member.status != FINISHED:
        return member._replace(error=f"{owner(folder.path)} died; the same command goes on with it")
    return member


def _is_ours(pid: int) -> bool:
    """Of our process group, as what a launcher of this machine starts; jobs of a cluster are not."""
    try:
        return pid != os.getpid() and os.getpgid(pid) == os.getpgrp()
    except ProcessLookupError:
        return False


def _progress(folder: RunFolder, epochs: int | None) -> str:
    if not (logged := latest(folder.metrics_file)):
        return "starting"
    epoch, elbo = logged
    return f"epoch {epoch:.1f} of {epochs}" + (f", elbo {elbo:.2f}" if elbo is not None else "")


def _figures(member: record.RunRecord) -> str:
    shown = [
        f"{name.removeprefix('test.')} {member.metrics[name]:.2f}"
        for name in ("test.elbo", "test.nll")
        if name in member.metrics
    ]
    seconds = [f"{member.metrics['seconds']:.0f} s"] if "seconds" in member.metrics else []
    return "  ".join([*shown, *seconds, *([member.error] if member.error else [])])
