"""The folder that vae-eval or vae-compare writes: it is replaced as a whole, and what is not ours stays in it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vae_cli.errors import UserError
from vae_cli.runs import output
from vae_cli.runs.output import OutputFolder

FILES = frozenset({"result.json", "page.html", "a.png", "b.png"})


def written(folder: Path, content: str, *names: str) -> OutputFolder:
    """Written by the command."""
    place = OutputFolder(folder, "result.json", "rows", FILES)
    with place.replaced() as new:
        for name in names:
            (new / name).write_text(content)
        place.write_manifest(new, {"rows": content})
    return place


def contents(folder: Path) -> dict[str, str]:
    """Path → content, or where a link leads."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def without_manifest(folder: Path) -> dict[str, str]:
    return {name: content for name, content in contents(folder).items() if name != "out/result.json"}


def add_foreign(folder: Path) -> dict[str, str]:
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/notes.txt").write_text("mine")
    (folder / "thesis.tex").write_text("mine")
    (folder / "link").symlink_to("/nowhere")
    return {"out/deep/er/notes.txt": "mine", "out/thesis.tex": "mine", "out/link": "/nowhere"}


def test_what_was_written_goes_and_what_is_foreign_stays(tmp_path):
    out = tmp_path / "out"
    written(out, "first", "page.html", "a.png")
    foreign = add_foreign(out)
    inode = (out / "thesis.tex").stat().st_ino
    written(out, "second", "page.html", "b.png")
    assert without_manifest(tmp_path) == {"out/page.html": "second", "out/b.png": "second"} | foreign
    assert (out / "thesis.tex").stat().st_ino == inode
    assert json.loads((out / "result.json").read_text())["written"] == ["b.png", "page.html", "result.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_an_earlier_version_has_no_list(tmp_path):
    """All names that the command may write are then its own."""
    out = tmp_path / "out"
    place = written(out, "first", "page.html", "a.png")
    (out / "result.json").write_text('{"rows": []}')
    (out / "mine.txt").write_text("mine")
    assert [path.name for path in place.foreign()] == ["mine.txt"]
    written(out, "second", "page.html")
    assert without_manifest(tmp_path) == {"out/page.html": "second", "out/mine.txt": "mine"}


def make_file(path: Path) -> None:
    path.write_text("mine")


def make_link(path: Path) -> None:
    path.symlink_to(path.parent)


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"mine": 1}', '{"rows": 1, "written": []}'])
@pytest.mark.parametrize("make", [make_file, Path.mkdir, make_link])
def test_a_foreign_file_of_a_name_that_may_be_written_is_refused_by_name(tmp_path, manifest, make):
    out = tmp_path / "out"
    out.mkdir()
    make(out / "a.png")
    if manifest:
        (out / "result.json").write_text(manifest)
    before = contents(tmp_path)
    place = OutputFolder(out, "result.json", "rows", FILES)
    with pytest.raises(UserError, match=r"a\.png"):
        place.refuse()
    with pytest.raises(UserError, match=r"a\.png"):
        written(out, "second", "page.html")
    assert contents(tmp_path) == before and [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("make", [make_file, make_link])
def test_a_link_or_file_in_the_place_of_the_folder_is_refused(tmp_path, make):
    (tmp_path / "elsewhere").mkdir()
    make(tmp_path / "elsewhere/out")
    with pytest.raises(UserError, match="link or a file"):
        written(tmp_path / "elsewhere/out", "second")


def test_a_manifest_cannot_name_files_elsewhere(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    out = tmp_path / "out"
    written(out, "first", "a.png")
    (out / "sub").mkdir()
    (out / "sub/mine.txt").write_text("mine")
    (out / "result.json").write_text(
        json.dumps({"rows": 1, "written": ["../mine.txt", "sub", "sub/mine.txt", "a.png", "result.json"]})
    )
    written(out, "second")
    assert without_manifest(tmp_path) == {"mine.txt": "mine", "out/sub/mine.txt": "mine"}


def test_a_failure_leaves_everything_as_it_was(tmp_path):
    written(tmp_path / "out", "first", "a.png")
    add_foreign(tmp_path / "out")
    before = contents(tmp_path)
    with pytest.raises(ZeroDivisionError), OutputFolder(tmp_path / "out", "result.json", "rows", FILES).replaced() as new:  # fmt: skip
        (new / "page.html").touch()
        _ = 1 / 0
    assert contents(tmp_path) == before and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_second_process_is_refused(tmp_path):
    place = OutputFolder(tmp_path / "out", "result.json", "rows", FILES)
    with place.replaced() as new:
        with pytest.raises(UserError, match="is being written by another process"):
            written(tmp_path / "out", "second", "a.png")
        assert new.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


KILLED = """
import os, sys
from pathlib import Path
from vae_cli.runs.output import OutputFolder
moment, count = sys.argv[2], 0
def killing(event, arguments):
    global count
    if event in ("os.rename", "os.mkdir", "open", "os.remove", "os.rmdir", "shutil.rmtree"):
        count += 1
        if count == int(moment):
            os.kill(os.getpid(), 9)
place = OutputFolder(Path(sys.argv[1]), "result.json", "rows", frozenset({"result.json", "page.html", "a.png", "b.png"}))
sys.addaudithook(killing)
with place.replaced() as new:
    (new / "page.html").write_text("second")
    place.write_manifest(new, {"rows": "second"})
"""


def test_a_kill_at_any_moment_loses_nothing_and_the_next_call_removes_what_is_left(tmp_path):
    """The audit hook kills the process before each change of the file system in turn."""
    for moment in range(1, 100):
        folder = tmp_path / str(moment)
        out = folder / "out"
        folder.mkdir()
        written(out, "first", "a.png")
        foreign = add_foreign(out)
        child = os.fork()
        if child == 0:
            sys.argv = ["", str(out), str(moment)]
            exec(KILLED, {})
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        left = without_manifest(folder)
        if "out/a.png" in left or "out/page.html" in left:  # else the two renames were cut apart
            assert ("out/a.png" in left) != ("out/page.html" in left)
        written(out, "third", "b.png")
        assert without_manifest(folder) == {"out/b.png": "third"} | foreign, moment
        assert [path.name for path in folder.iterdir()] == ["out"], moment
        if ended == 0:
            break
    assert moment > 10 and ended == 0


def test_planted_work_folders_lead_nowhere(tmp_path):
    """A stranger's folder with links in the place of what a killed process leaves."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine.txt").write_text("mine")
    run = tmp_path / "run"
    work = run / ".out-partial"
    run.mkdir()
    work.symlink_to(victim)
    with pytest.raises(UserError, match="is a link"):
        written(run / "out", "first", "a.png")
    work.unlink()
    work.mkdir()
    for name in (output.OLD, output.NEW):
        (work / name).symlink_to(victim)
    written(run / "out", "first", "a.png")
    assert without_manifest(run) == {"out/a.png": "first"}
    assert contents(victim) == {"mine.txt": "mine"}


INTERRUPTED = """
import sys, time
from pathlib import Path
from vae_cli.config.failures import reported
from vae_cli.runs.interrupts import signals_raise
from vae_cli.runs.output import OutputFolder
def work():
    with signals_raise(), OutputFolder(Path(sys.argv[1]), "result.json", "rows", frozenset()).replaced() as new:
        (new / "page.html").touch()
        print("ready", flush=True)
        time.sleep(60)
reported("vae-eval", work)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_removes_what_was_made_and_says_so(tmp_path, number):
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "vae-eval: interrupted\n")
    assert list(tmp_path.iterdir()) == []
