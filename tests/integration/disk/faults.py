"""What may be wrong with a disk or with a process's limits while a command runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from command_server import CommandServer, Finished
from integration.disk.disks import Device, Memory
from integration.trials import LONGEST, Undisturbed

BLOCK = 4096
FEWEST_FILES, MOST_FILES = 4, 40  # open ones


@dataclass
class Scene:
    """A call that is about to be made in a place, on a disk or not."""

    server: CommandServer
    words: Sequence[str]
    place: Path
    whole: Undisturbed
    disk: Any = None

    def run(self, **limits: int) -> Finished:
        return self.server.run(*self.words, cwd=self.place, time_limit=LONGEST, limits=limits)

    def run_until(self, level: float, event: Callable[[], None]) -> Finished:
        """With `event` after this part of the undisturbed call's time."""
        running = self.server.start(*self.words, cwd=self.place, time_limit=LONGEST)
        if not (finished := running.wait(level * self.whole.seconds)):
            event()
            finished = running.wait()
        assert finished is not None
        return finished

    def written(self) -> tuple[int, int]:
        """About how many bytes and inodes the call adds."""
        before, after = _size(self.place), _size(self.whole.place)
        return max(2**17, after[0] - before[0]), max(12, after[1] - before[1])


def _size(place: Path) -> tuple[int, int]:
    files = list(place.rglob("*"))
    return sum(-(-path.stat().st_size // BLOCK) * BLOCK for path in files if path.is_file()), len(files)


def full(scene: Scene, level: float) -> Finished:
    """The disk has room for a part of what the call writes."""
    scene.disk.leave_bytes(int(scene.written()[0] * level))
    return _with_room_afterwards(scene, scene.run())


def fills_up(scene: Scene, level: float) -> Finished:
    """Something else takes all room while the call runs."""

    def fill() -> None:
        for free in (0, 2**16, 2**18):  # the call writes meanwhile
            try:
                scene.disk.leave_bytes(free)
                return
            except CalledProcessError:
                continue

    return _with_room_afterwards(scene, scene.run_until(level, fill))


def no_inodes(scene: Scene, level: float) -> Finished:
    scene.disk.leave_inodes(int(scene.written()[1] * level))
    return _with_room_afterwards(scene, scene.run())


def read_only(scene: Scene, level: float) -> Finished:
    """From the beginning: no tmpfs becomes read-only while a file is open for writing."""
    scene.disk.read_only()
    return _with_room_afterwards(scene, scene.run())


def _with_room_afterwards(scene: Scene, finished: Finished) -> Finished:
    scene.disk.make_room()
    return finished


def fails(scene: Scene, level: float) -> Finished:
    """The disk becomes read-only while the call runs."""
    finished = scene.run_until(level, scene.disk.fail)
    scene.disk.repair()
    return finished


def power_cut(scene: Scene, level: float) -> Finished:
    """The call goes on without its disk, and what it had not synced is lost."""
    finished = scene.run_until(level, scene.disk.cut_power)
    scene.disk.repair()
    return finished


def short_files(scene: Scene, level: float) -> Finished:
    """ulimit -f, here in bytes."""
    largest = max(path.stat().st_size for path in scene.whole.place.rglob("*") if path.is_file())
    return scene.run(RLIMIT_FSIZE=int(largest * level))


def few_open_files(scene: Scene, level: float) -> Finished:
    """ulimit -n"""
    return scene.run(RLIMIT_NOFILE=FEWEST_FILES + int(level * (MOST_FILES - FEWEST_FILES)))


FAULTS: dict[str, tuple[type[Memory] | type[Device] | None, Callable[[Scene, float], Finished]]] = {
    "short files": (None, short_files),
    "few open files": (None, few_open_files),
    "full": (Memory, full),
    "fills up": (Memory, fills_up),
    "no inodes": (Memory, no_inodes),
    "read-only": (Memory, read_only),
    "fails": (Device, fails),
    "power cut": (Device, power_cut),
}
WITHOUT_MOUNTS = ("short files", "few open files")
