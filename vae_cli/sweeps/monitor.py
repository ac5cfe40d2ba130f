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
from vae_cli.runs.lock import REFUSED, is_held, owner, pid_here
from vae_cli.runs.metrics_log import latest

if TYPE_CHECKING:
    from tqdm import tqdm  # imported where it draws: whoever asks for help need not wait

MONITORS: list["Monitor"] = []  # the sweep under way, in the process that the user started alone
STOP = ".stop"  # in a sweep's folder: why no further member starts
SECONDS_BETWEEN_LINES = 30.0
SECONDS_TO_SAVE = 60.0
LINES = 8  # of running members at a time
FOR_GOOD = ("finished", "diverged", "failed")  # members that no launcher brings back


def halt(sweep: Path, reason: str) -> None:
    (sweep / STOP).write_text(reason)


def halted(sweep: Path) -> str | None:
    return (sweep / STOP).read_text() if (sweep / STOP).exists() else None


class Monitor(threading.Thread):
    """`expected`: how many members there will be, where that is known; `local`: they are processes of this machine that
    end with this one."""

    def __init__(self, sweep: Path, expected: int | None, local: bool) -> None:
        super().__init__(daemon=True)
        self.sweep, self.expected, self.local = sweep, expected, local
        self.started = time.time()
        self.ended: dict[Path, record.RunRecord] = {}
        self.bars: dict[Path, tqdm[Any]] = {}
        self.asked: set[int] = set()  # processes, to end; one may train several members
        self.totals: dict[Path, int | None] = {}
        self.closing = threading.Event()
        self.next_lines = time.monotonic() + SECONDS_BETWEEN_LINES
        for left in (*sweep.glob(STOP), *sweep.glob(f"*/{REFUSED}")):  # by an earlier call
            left.unlink(missing_ok=True)
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

    def visited(self) -> list[Path]:
        """The members whose lock was taken, or refused, since the watch began."""
        if not self.sweep.is_dir():
            return []
        with os.scandir(self.sweep) as entries:
            folders = sorted(Path(entry.path) for entry in entries if entry.is_dir())
        return [folder for folder in folders if any(self._is_new(folder / n) for n in (".lock", REFUSED))]

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
            if is_held(folder):
                running.append(folder)
                self.ended.pop(folder, None)  # Slurm and Ray bring members back
            elif folder not in self.ended:
                self._end(folder)
        if self.local and halted(self.sweep):
            self._signal(running)
        if sys.stdout.isatty():
            for folder in running:
                self._draw(folder)
        elif time.monotonic() > self.next_lines:
            self.next_lines = time.monotonic() + SECONDS_BETWEEN_LINES
            for folder in running[:LINES]:
                print(f"running    {folder.name}  {_progress(folder, self._epochs(folder))}", flush=True)

    def _end(self, folder: Path) -> None:
        from tqdm import tqdm

        member = self.ended[folder] = _read(folder)
        if folder in self.bars:
            self.bars.pop(folder).close()
        of = f"/{self.expected}" if self.expected else ""
        before = "" if self._is_new(folder / "summary.json") or not member.metrics else ", before"
        said = f"{member.status:10} {member.name}  {_figures(member)}{before}"
        tqdm.write(f"{said}  [{len(self.ended)}{of}]", file=sys.stdout)
        sys.stdout.flush()

    def _draw(self, folder: Path) -> None:
        from tqdm import tqdm

        if not (epochs := self._epochs(folder)):
            return
        if folder not in self.bars:
            self.bars[folder] = tqdm(
                total=epochs, leave=False, dynamic_ncols=True, file=sys.stdout,
                bar_format="{percentage:3.0f} % {bar:20} {desc}",
            )  # fmt: skip
        if progress := latest(folder / "metrics.jsonl"):
            self.bars[folder].n = progress[0]
        self.bars[folder].set_description_str(f"{_progress(folder, epochs)}  {folder.name}")

    def _epochs(self, folder: Path) -> int | None:
        if not self.totals.get(folder):  # its configuration may not be there yet
            self.totals[folder] = record.read(folder, folder.name).config.get("epochs")
        return self.totals[folder]

    def _signal(self, running: list[Path]) -> list[Path]:
        """Ask the members that run as processes of ours to save themselves and end; once, for a second signal would end
        them before they have."""
        ours = [folder for folder in running if (pid := pid_here(folder)) and _is_ours(pid)]
        for folder in ours:
            if (pid := pid_here(folder)) and pid not in self.asked:
                self.asked.add(pid)
                os.kill(pid, signal.SIGTERM)
        return ours

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """SIGINT and SIGTERM of a sweep: nothing new starts, what runs is saved, then the launcher is stopped."""
        signal.signal(number, signal.default_int_handler)  # once more ends it at once
        if self.sweep.is_dir():
            halt(self.sweep, "the sweep was interrupted")
            saving = self._signal([folder for folder in self.visited() if is_held(folder)])
            end = time.monotonic() + SECONDS_TO_SAVE
            while any(is_held(folder) for folder in saving) and time.monotonic() < end:
                time.sleep(0.1)
        raise Interrupted("interrupted; the same command goes on with the sweep")


def _read(folder: Path) -> record.RunRecord:
    """What the folder says, and what only this host can tell."""
    member, note = record.read(folder, folder.name), folder / REFUSED
    if is_held(folder):
        return member._replace(status="running", error=owner(folder))
    if note.exists():
        return member._replace(status="refused", error=note.read_text())
    if owner(folder) and not member.error and member.status != record.FINISHED:
        return member._replace(error=f"{owner(folder)} died; the same command goes on with it")
    return member


def _is_ours(pid: int) -> bool:
    """Of our process group, as what a launcher of this machine starts; jobs of a cluster are not."""
    try:
        return pid != os.getpid() and os.getpgid(pid) == os.getpgrp()
    except ProcessLookupError:
        return False


def _progress(folder: Path, epochs: int | None) -> str:
    if not (logged := latest(folder / "metrics.jsonl")):
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
