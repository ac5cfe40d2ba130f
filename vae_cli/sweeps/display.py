"""What the console shows of a sweep: a line for each member that ends, and the progress of those that run."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_cli.errors import printable
from vae_cli.runs.folder import RunFolder
from vae_cli.runs.metrics_log import latest
from vae_cli.runs.record import RunRecord, read

if TYPE_CHECKING:
    from tqdm import tqdm  # imported where it is used, so that --help does not wait for it

SECONDS_BETWEEN_LINES = 30.0
MOST_LINES = 8  # of running members at a time


class Display:
    """On a terminal, each running member has a progress bar. Elsewhere a line for each appears every 30 s."""

    def __init__(self, expected: int | None) -> None:
        """`expected` is the number of members, where it is known."""
        self.expected = expected
        self.bars: dict[RunFolder, tqdm[Any]] = {}
        self.epochs: dict[RunFolder, int | None] = {}
        self.next_lines = time.monotonic() + SECONDS_BETWEEN_LINES

    def show_end(self, member: RunRecord, ended: int, before: bool) -> None:
        """Print the line of a member that has ended. `ended` members have, this one included; `before` this call, with
        `before`."""
        from tqdm import tqdm

        if member.folder in self.bars:
            self.bars.pop(member.folder).close()
        total = f"/{self.expected}" if self.expected else ""
        result = f"{_result(member)}{', before' if before else ''}"
        line = printable(f"{member.status:10} {member.name}  {result}")
        tqdm.write(f"{line}  [{ended}{total}]", file=sys.stdout)
        sys.stdout.flush()

    def show_running(self, paths: list[Path]) -> None:
        """Show the progress of the members in these folders."""
        running = [RunFolder(path) for path in paths]
        if sys.stdout.isatty():
            for folder in running:
                self._draw_bar(folder)
        elif time.monotonic() > self.next_lines:
            self.next_lines = time.monotonic() + SECONDS_BETWEEN_LINES
            for folder in running[:MOST_LINES]:
                print(
                    printable(f"running    {folder.name}  {_progress(folder, self._epochs(folder))}"),
                    flush=True,
                )

    def close(self) -> None:
        for bar in self.bars.values():
            bar.close()

    def _draw_bar(self, folder: RunFolder) -> None:
        from tqdm import tqdm

        if not (epochs := self._epochs(folder)):
            return
        if folder not in self.bars:
            self.bars[folder] = tqdm(
                total=epochs, leave=False, dynamic_ncols=True, file=sys.stdout,
                bar_format="{percentage:3.0f} % {bar:20} {desc}",
            )  # fmt: skip
        if logged := latest(folder.metrics_file):
            self.bars[folder].n = logged[0]
        self.bars[folder].set_description_str(f"{_progress(folder, epochs)}  {printable(folder.name)}")

    def _epochs(self, folder: RunFolder) -> int | None:
        if not self.epochs.get(folder):  # the configuration may not have been written before
            self.epochs[folder] = read(folder, folder.name).config.get("epochs")
        return self.epochs[folder]


def _progress(folder: RunFolder, epochs: int | None) -> str:
    if not (logged := latest(folder.metrics_file)):
        return "starting"
    epoch, elbo = logged
    return f"epoch {epoch:.1f} of {epochs}" + (f", elbo {elbo:.2f}" if elbo is not None else "")


def _result(member: RunRecord) -> str:
    shown = [
        f"{name} {member.metrics[f'test.{name}']:.2f}"
        for name in ("elbo", "nll")
        if f"test.{name}" in member.metrics
    ]
    seconds = [f"{member.metrics['seconds']:.0f} s"] if "seconds" in member.metrics else []
    return "  ".join([*shown, *seconds, *([member.error] if member.error else [])])
