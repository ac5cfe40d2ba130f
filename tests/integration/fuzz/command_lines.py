"""Command lines at random, made from the schema, are carried out as they are meant or refused in one line.

make test-fuzz N=1000 SEED=1
"""

import os
import shlex
import shutil
import signal
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from command_server import CommandServer, Finished, Running
from integration.fuzz.grammar import RECTANGLES, TINY, Line, line
from integration.fuzz.oracle import Tree, tree, violations

COUNT, SEED = int(os.environ.get("VAE_CLI_TRIALS", "50")), int(os.environ.get("VAE_CLI_SEED", "0"))
AT_ONCE = 1 if COUNT == 50 else len(os.sched_getaffinity(0))
STOP_AFTER, KILL_AFTER = 8, 40  # seconds: SIGTERM for what trains for long, SIGKILL for what hangs
MEMORY = 3 * 2**30  # bytes that one command may take


class Trial(NamedTuple):
    number: int
    line: Line
    folder: Path
    before: Tree
    running: Running


@pytest.fixture(scope="module")
def prepared(command, tmp_path_factory) -> Path:
    """What vae-eval and vae-compare read, and a file of images."""
    folder = tmp_path_factory.mktemp("prepared")
    for name, seed in (("run", 0), ("other", 1)):
        words = [f"{key}={value}" for key, value in (RECTANGLES | TINY).items()]
        done = command("vae-train", *words, f"seed={seed}", f"hydra.run.dir={name}", cwd=folder)
        assert done.returncode == 0, done.stderr
    np.savez(folder / "images.npz", images=np.random.default_rng(0).random((40, 6, 6)) > 0.5)
    return folder


def start(server: CommandServer, number: int, prepared: Path, folder: Path) -> Trial:
    """In a folder of its own, which is inside another one that shows what is written beside it."""
    drawn = line(SEED, number)
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    here = folder / "here"
    if drawn.program == "vae-train":
        here.mkdir()
        shutil.copy(prepared / "images.npz", here)
    else:
        shutil.copytree(prepared, here)
    before = tree(folder)
    running = server.start(
        drawn.program, *drawn.arguments, cwd=here, signals=[(STOP_AFTER, signal.SIGTERM)], time_limit=KILL_AFTER,
        env={"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}, limits={"RLIMIT_DATA": MEMORY},
    )  # fmt: skip
    return Trial(number, drawn, folder, before, running)


def results(server: CommandServer, prepared: Path, parent: Path) -> Iterator[tuple[Trial, Finished]]:
    waiting = deque[Trial]()
    for number in range(COUNT):
        waiting.append(start(server, number, prepared, parent / str(number)))
        while len(waiting) > (AT_ONCE - 1 if number + 1 < COUNT else 0):
            trial = waiting.popleft()
            done = trial.running.wait()
            assert done is not None
            yield trial, done
            shutil.rmtree(trial.folder)


def pasteable(drawn: Line) -> str:
    """The command as a shell takes it."""
    return " ".join([drawn.program, *map(quoted_for_a_shell, drawn.arguments)])


def quoted_for_a_shell(text: str) -> str:
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join(
        f"\\x{byte:02x}" if not 32 <= byte < 127 or byte in b"'\\" else chr(byte)
        for byte in os.fsencode(text)
    )
    return f"$'{escaped}'"


def test_command_lines_are_carried_out_or_refused_in_one_line(command_server, prepared, tmp_path):
    ends, found = Counter[str](), []
    for trial, done in results(command_server, prepared, tmp_path):
        ends[f"{done.args[0]} {done.returncode}"] += 1
        if wrong := list(dict.fromkeys(violations(trial.line, done, trial.folder, trial.before))):
            found.append(
                "\n    ".join(
                    [f"{trial.number}: {pasteable(trial.line)}", *wrong, f"it said: {done.stderr[-400:]!r}"]
                )
            )
            print(found[-1], flush=True)
    print(
        f"\n{COUNT} command lines of seed {SEED}:",
        *(f"{n} × {end}" for end, n in sorted(ends.items())),
        sep="\n  ",
    )
    print(f"{len(found)} violations")
    assert not found, "\n".join(found)
