"""What can happen to one file or folder of a run: it is lost, cut, changed, replaced by something of another kind, or by the
file of another run."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MOST_OFTEN = (".hydra/config.yaml", "checkpoints/best.pt", "checkpoints/last.pt", "metrics.jsonl", "summary.json", "evaluation/summary.json")  # fmt: skip


class Place(NamedTuple):
    """A folder with two runs, `run` and `other`, that were trained by different seeds, and a folder beside it."""

    root: Path

    @property
    def here(self) -> Path:
        return self.root / "here"

    @property
    def run(self) -> Path:
        return self.here / "run"

    @property
    def outside(self) -> Path:
        return self.root / "outside"


Damage = Callable[[Place, str, random.Random], None]


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def delete(place: Place, name: str, draw: random.Random) -> None:
    _remove(place.run / name)


def truncate(place: Place, name: str, draw: random.Random) -> None:
    path = place.run / name
    os.truncate(path, draw.randrange(max(1, path.stat().st_size)))


def empty(place: Place, name: str, draw: random.Random) -> None:
    os.truncate(place.run / name, 0)


def flip(place: Place, name: str, draw: random.Random) -> None:
    """One bit."""
    content = bytearray((place.run / name).read_bytes() or b"\0")
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    (place.run / name).write_bytes(content)


def lengthen(place: Place, name: str, draw: random.Random) -> None:
    with (place.run / name).open("ab") as file:
        file.write(draw.randbytes(draw.randint(1, 50)))


def overwrite(place: Place, name: str, draw: random.Random) -> None:
    """A block of random bytes, as where a disk has lost one."""
    content = bytearray((place.run / name).read_bytes())
    start = draw.randrange(max(1, len(content)))
    content[start : start + 512] = draw.randbytes(min(512, len(content) - start))
    (place.run / name).write_bytes(content)


def folder_instead(place: Place, name: str, draw: random.Random) -> None:
    _remove(place.run / name)
    (place.run / name).mkdir()
    if draw.random() < 0.5:
        (place.run / name / "inner").write_text("of somebody else")


def file_instead(place: Place, name: str, draw: random.Random) -> None:
    _remove(place.run / name)
    (place.run / name).write_text("of somebody else")


def dangling_link(place: Place, name: str, draw: random.Random) -> None:
    _remove(place.run / name)
    (place.run / name).symlink_to(place.outside / "nothing")


def link_out(place: Place, name: str, draw: random.Random) -> None:
    """To what it was, which was moved out of the run."""
    (place.run / name).rename(place.outside / "moved")
    (place.run / name).symlink_to(place.outside / "moved")


def link_to_itself(place: Place, name: str, draw: random.Random) -> None:
    _remove(place.run / name)
    (place.run / name).symlink_to(place.run / name)


def fifo(place: Place, name: str, draw: random.Random) -> None:
    _remove(place.run / name)
    os.mkfifo(place.run / name)


def unreadable(place: Place, name: str, draw: random.Random) -> None:
    """A device whose reading never ends (for root every file is readable)."""
    _remove(place.run / name)
    (place.run / name).symlink_to("/dev/zero")


def of_another_run(place: Place, name: str, draw: random.Random) -> None:
    other = place.here / "other" / name
    if not other.exists():  # the event files have names of their own
        other = next((place.here / "other").glob("events.out.*[0-9]"))
    _remove(place.run / name)
    (shutil.copytree if other.is_dir() else shutil.copy)(other, place.run / name)


OF_FILES: dict[str, Damage] = {
    "deleted": delete, "truncated": truncate, "empty": empty, "a bit flipped": flip, "lengthened": lengthen,
    "overwritten": overwrite, "a folder": folder_instead, "a dangling link": dangling_link, "a link out": link_out,
    "a link to itself": link_to_itself, "a FIFO": fifo, "an endless device": unreadable, "of another run": of_another_run,
}  # fmt: skip
OF_FOLDERS: dict[str, Damage] = {
    "deleted": delete, "a file": file_instead, "a dangling link": dangling_link, "a link out": link_out,
    "a link to itself": link_to_itself, "a FIFO": fifo, "of another run": of_another_run,
}  # fmt: skip
KINDS = tuple(dict.fromkeys([*OF_FILES, *OF_FOLDERS]))


class Harm(NamedTuple):
    """What happens to which file or folder; `seed` for what else is random."""

    kind: str
    name: str
    seed: str

    def do(self, place: Place) -> None:
        kinds = OF_FOLDERS if (place.run / self.name).is_dir() else OF_FILES
        kinds[self.kind](place, self.name, random.Random(self.seed))


def draw_harm(run: Path, kind: str, draw: random.Random) -> Harm:
    """Of this kind, to any file or folder of the run; files that decide what the run is are drawn more often."""
    paths = sorted(run.rglob("*"))
    names = [
        str(path.relative_to(run)) for path in paths if kind in (OF_FOLDERS if path.is_dir() else OF_FILES)
    ]
    often = [name for name in MOST_OFTEN if name in names]
    return Harm(kind, draw.choice([*names, *often * 3]), str(draw.random()))
