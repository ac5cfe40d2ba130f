"""Standard streams never end a command."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vae_cli.config.environment import VARIABLES

LINE = "8×8 – ½ ± elbo 📈"
PROGRAM = f"""
import sys
from vae_cli.config import streams
streams.prepare()
for _ in range(5000):
    print({LINE!r})
sys.stdout.flush()
print("the end", file=sys.stderr)
"""
FULL = Path("/dev/full")


def python(program: str, **options) -> subprocess.CompletedProcess:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run([sys.executable, "-c", program], text=True, timeout=60, **streams)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", LINE), ("ascii", r"8x8 - 1/2 +/- elbo \U0001f4c8"), ("latin-1", r"8×8 - ½ ± elbo \U0001f4c8")],
)
def test_no_line_is_lost_where_the_console_lacks_characters(encoding, shown):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr == b"the end\n"
    assert done.stdout.decode(encoding).splitlines() == [shown] * 5000


def test_bytes_of_a_file_name_that_are_no_text_are_spelled_out():
    program = "from vae_cli.config import streams; streams.prepare(); print(b'Gr\\xf6'.decode(errors='surrogateescape'))"
    assert python(program).stdout == "Gr\\udcf6\n"


def test_a_reader_that_goes_away_ends_nothing_and_is_not_mentioned():
    reading, writing = os.pipe()
    os.close(reading)
    done = python(PROGRAM, stdout=writing)
    os.close(writing)
    assert done.returncode == 0 and done.stderr == "the end\n"


def test_a_full_disk_behind_the_output_is_one_line():
    with FULL.open("w") as full:
        done = python(PROGRAM, stdout=full)
    assert done.returncode == 0
    assert done.stderr == f"-c: output is lost: {os.strerror(errno.ENOSPC)}\nthe end\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_an_empty_one(closed, tmp_path):
    """And no file that is opened later takes its place."""
    program = PROGRAM + (
        "with open('file', 'w') as file: print('content', file=file)\n"
        "print('later'); print(sys.stdin.read()); print('later', file=sys.stderr)"
    )
    (tmp_path / "program.py").write_text(program)
    shell = f"{sys.executable} program.py {closed}"
    done = subprocess.run(
        ["sh", "-c", shell],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert (tmp_path / "file").read_text() == "content\n"


@pytest.mark.parametrize("raised", ["KeyboardInterrupt()", "Interrupted()"])
def test_an_interruption_without_words_is_said(raised):
    """Ctrl-C before there is anything to say."""
    program = (
        "from vae_cli.config.failures import reported\nfrom vae_cli.errors import Interrupted\n"
        f"def work(): raise {raised}\nreported('vae-train', work)"
    )
    done = python(program)
    assert (done.returncode, done.stderr) == (130, "vae-train: interrupted\n")


def test_an_interruption_of_the_first_imports_is_said():
    program = (
        "import os, signal, sys\nfrom vae_cli import __main__\n"
        "class Finder:\n    def find_spec(self, name, *_):\n"
        "        if name == 'hydra': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\nsys.argv = ['vae-train']\n__main__.train()"
    )
    done = python(program, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert (done.returncode, done.stderr) == (130, "vae-train: interrupted\n")


def test_an_empty_variable_is_one_that_is_not_set():
    program = (
        "import os; from vae_cli.config import environment; environment.unset_empty()\n"
        "print(sorted(set(environment.VARIABLES) & set(os.environ)), os.environ['CUDA_VISIBLE_DEVICES'] == '')\n"
        "print(os.path.expanduser('~') != '')"
    )
    empty = dict.fromkeys([*VARIABLES, "CUDA_VISIBLE_DEVICES"], "")
    done = python(program, env={**os.environ, **empty, "OMP_NUM_THREADS": "3"})
    assert done.stdout == "['OMP_NUM_THREADS'] True\nTrue\n"
