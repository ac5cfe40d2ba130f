"""No console ends a command or loses its result."""

import errno
import json
import os
import shlex
from pathlib import Path

import pytest
from conftest import SMALL_MODEL, SMALL_RECTANGLES

INSTALL = Path(__file__).with_name("console.py")
RUN = (*SMALL_RECTANGLES, *SMALL_MODEL, "data.train_size=40", "name=Größe")
COMMANDS = {
    "run": [("vae-train", *RUN, "hydra.run.dir=run ½"), ("vae-eval", "run=run ½", "probe=false"), ("vae-compare", "run ½")],
    "sweep": [("vae-train", "-m", *RUN, "seed=0,1")],
    "help": [("vae-train", "--help")],
    "configuration": [("vae-train", "--cfg", "job")],
}  # fmt: skip
RESULTS = {
    "run": ["run ½/summary.json", "run ½/evaluation/report.html", "run ½/comparison/compare.html"],
    "sweep": ["outputs/Größe/*/summary.json"] * 2, "help": [], "configuration": [],
}  # fmt: skip
LOST = f"output is lost: {os.strerror(errno.ENOSPC)}\n"


PAIRS = [
    ("ascii", "run"), ("ascii", "sweep"), ("latin-1", "help"), ("reader gone", "run"), ("reader gone", "sweep"),
    ("reader gone", "configuration"), ("full", "sweep"), ("full", "help"), ("full", "configuration"), ("closed", "run"),
]  # fmt: skip


@pytest.mark.parametrize(("console", "what"), PAIRS)
def test_every_console_leaves_the_result_whole(command, tmp_path, console, what):
    for program, *arguments in COMMANDS[what]:
        done = command(program, *arguments, cwd=tmp_path, before=(INSTALL, [console]))
        nothing_else = console == "full" and not RESULTS[what]
        assert done.returncode == nothing_else, done.stderr
        assert done.stderr == (f"{program}: {LOST}" if console == "full" else "")
        assert bool(done.stdout) == (console in ("ascii", "latin-1"))
        assert console != "ascii" or done.stdout.isascii()
    for pattern in RESULTS[what]:
        assert len(list(tmp_path.glob(pattern))) == RESULTS[what].count(pattern)
    statuses = {
        json.loads(file.read_text())["status"]
        for file in tmp_path.glob("**/summary.json")
        if "evaluation" not in file.parts
    }
    assert statuses <= {"finished"}


@pytest.mark.parametrize("console", ["ascii", "closed"])
def test_a_refusal_is_the_same_on_every_console(command, tmp_path, console):
    done = command("vae-train", "name=Größe", "seed=½", cwd=tmp_path, before=(INSTALL, [console]))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith("vae-train: seed=1/2 is not" if console == "ascii" else "")
    assert list(tmp_path.iterdir()) == []


ODD = 'it\'s "½" a=b'  # a comma would be a sweep's


def test_printed_commands_can_be_pasted_into_a_shell(command, tmp_path):
    """Whatever the folder is called: no second quoting for Hydra is needed."""
    trained = command("vae-train", *RUN, f"hydra.run.dir={ODD}", cwd=tmp_path)
    swept = command("vae-train", "-m", *RUN[:-1], f"name={ODD}", "seed=0", cwd=tmp_path)
    printed = [line.partition(": ")[2].strip() for line in (trained.stdout + swept.stdout).splitlines()]
    commands = [shlex.split(text) for text in printed if text.startswith("vae-")]
    assert [program for program, *_ in commands] == ["vae-eval", "vae-compare"]
    for words in commands:
        done = command(*words, cwd=tmp_path)
        assert done.returncode == 0 and done.stderr == "", (words, done.stderr)
    assert (tmp_path / ODD / "evaluation/report.html").exists()
    assert (tmp_path / "outputs" / ODD / "comparison/compare.html").exists()
