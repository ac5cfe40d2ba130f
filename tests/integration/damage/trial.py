"""One trial: damage a copy of two runs, call a command, and judge what it did."""

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from command_server import CommandServer, Finished
from integration.damage.damages import Harm, Place
from integration.damage.readers import READERS
from run_comparison import assert_equal

from vae_cli.errors import LONGEST, UserError

SECONDS = 20  # a command that takes longer hangs
Tree = dict[str, object]


class Trials:
    """`whole` has two runs that were trained and evaluated."""

    def __init__(self, server: CommandServer, whole: Path, folder: Path) -> None:
        self._server, self._whole, self._folder = server, whole, folder
        self._undamaged: dict[str, Any] = {}

    def violations(self, harm: Harm, reader: str) -> tuple[Finished, list[str]]:
        place = self._place("damaged")
        harm.do(place)
        before = tree(place.root)
        done = self._called(reader, place)
        return done, list(dict.fromkeys(self._judged(harm, reader, place, done, before)))

    def _judged(self, harm: Harm, reader: str, place: Place, done: Finished, before: Tree) -> Iterator[str]:
        after = tree(place.root)
        changed = [name for name in before | after if before.get(name) != after.get(name)]
        if outside := [name for name in changed if not name.startswith("here/")]:
            yield f"changed outside of the folder: {outside}"
        if others := [name for name in changed if name.startswith("here/other/")]:
            yield f"changed another run: {others}"
        yield from of_the_streams(done)
        if done.returncode and changed:
            yield f"failed, and changed {changed[:5]}"
        if (
            not done.returncode
            and not says(done, harm)
            and (what := self._differs(harm, reader, place, done))
        ):
            yield f"succeeded with other figures, without a word: {what}"

    def _differs(self, harm: Harm, reader: str, place: Place, done: Finished) -> str | None:
        """What is other than without the damage."""
        _, figures, only_looks = READERS[reader]
        is_lost = harm.kind == "deleted"
        if is_lost and (only_looks or (reader == "compare" and harm.name == "evaluation")):
            return None
        if reader not in self._undamaged:
            whole = self._place("undamaged")
            ended = self._called(reader, whole)
            assert ended.returncode == 0 and ended.stderr == "", ended.stderr
            self._undamaged[reader] = figures(whole.here, ended)
        try:
            assert_equal(self._undamaged[reader], figures(place.here, done))
        except (AssertionError, OSError, ValueError, KeyError, UserError) as error:
            return " ".join(str(error).split())[:200]
        return None

    def _called(self, reader: str, place: Place) -> Finished:
        return self._server.run(*READERS[reader].words, cwd=place.here, time_limit=SECONDS)

    def _place(self, name: str) -> Place:
        place = Place(self._folder / name)
        shutil.rmtree(place.root, ignore_errors=True)
        shutil.copytree(self._whole, place.here)
        place.outside.mkdir()
        return place


def of_the_streams(done: Finished) -> Iterator[str]:
    if done.timed_out:
        yield "hangs"
        return
    if done.returncode not in (0, 1, 2):
        yield f"ended with {done.returncode}"
    both = done.stdout + done.stderr
    if "Traceback (most recent call last)" in both or "fault of vae-cli" in both:
        yield "a traceback, or said to be a fault of vae-cli"
    if not done.stderr and done.returncode:
        yield "fails without a word"
    if done.stderr:
        if done.stderr.count("\n") != 1:
            yield f"{done.stderr.count(chr(10))} lines on stderr"
        if not done.stderr.startswith(f"{done.args[0]}: "):
            yield "a line that does not begin with the program"
        if len(done.stderr) > len("python: ") + LONGEST + 1:
            yield f"a line of {len(done.stderr)} letters"
    if not both.replace("\n", "").isprintable():
        yield "not printable"


def says(done: Finished, harm: Harm) -> bool:
    """Whether the output names what is damaged, or the folder that it is in; `evaluation.nll` is the name of a metric."""
    parts = Path(harm.name).parts
    said = done.stdout + done.stderr
    if harm.name == "summary.json" and harm.kind == "deleted":
        return "unfinished" in said
    return "its evaluation" in said if "evaluation" in parts else any(part in said for part in parts)


def tree(folder: Path) -> Tree:
    """Every path below, with its content, what a link says, or its kind. Nothing is followed."""
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            found[str(path.relative_to(folder))] = path.read_bytes()
        else:
            found[str(path.relative_to(folder))] = (
                str(path.readlink()) if stat.S_ISLNK(mode) else stat.S_IFMT(mode)
            )
    return found
