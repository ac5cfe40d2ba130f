"""The three commands without the seconds that torch takes to be imported: one process imports what they import, and each
command is a fork of it with its own arguments, folder, environment, limits, streams and session.

    with CommandServer(folder) as server:
        done = server.run("vae-train", "epochs=1", cwd=folder, time_limit=60)
        running = server.start("vae-train", "epochs=9", cwd=folder, signals=[(0.5, signal.SIGSTOP), (2, signal.SIGCONT)])
        running.send(signal.SIGTERM)
        done = running.wait()

What a module has read from the environment when it was imported (HYDRA_FULL_ERROR, OMP_NUM_THREADS) is the server's.
"""

import fcntl
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("VAE_CLI_DATA", "HYDRA_FULL_ERROR")}
ENVIRONMENT |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONIOENCODING": "utf-8"}
ENVIRONMENT |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9") | {"no_proxy": ""}
PIPE = 2**20
START = "import sys; sys.path.insert(0, sys.argv.pop()); from served_commands import serve; del sys.path[0]; serve()"


class Finished(NamedTuple):
    """A command that has ended; a negative `returncode` is the signal that ended it."""

    args: list[str]
    returncode: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool  # its time limit has ended it
    left_processes: bool  # others of its process group lived on when it ended (they have been killed)


class _Stream:
    """What a command prints: a file, or, where files have a limit, a pipe that takes at most PIPE bytes."""

    def __init__(self, path: Path, is_pipe: bool) -> None:
        self.path, self._pipe = path, -1
        if is_pipe:
            os.mkfifo(path)
            self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE)
        else:
            path.touch()  # the command may be killed before it opens it

    def read(self) -> str:
        if self._pipe >= 0:
            content = b""
            with suppress(BlockingIOError):  # another process has it open, and has written nothing
                content = os.read(self._pipe, PIPE)
            os.close(self._pipe)
            self._pipe = -1
            self.path.unlink()
            self.path.write_bytes(content)
        # bytes that are no UTF-8 stay visible as surrogates, and do not fail here
        return self.path.read_bytes().decode("utf-8", "surrogateescape")


class Running:
    """A command that has been started."""

    def __init__(self, server: "CommandServer", pid: int, words: list[str], streams: list[_Stream]):
        self.pid, self._server, self._words, self._streams = pid, server, words, streams

    def send(self, number: int) -> None:
        """Send a signal, unless the command has ended: the server knows, so that no other process is met."""
        self._server.tell({"signal": [self.pid, number]})

    def wait(self, timeout: float | None = None) -> Finished | None:
        """The finished command; None if it is not finished after `timeout` seconds."""
        ended = self._server.ended(self.pid, timeout)
        if ended is None:
            return None
        texts = [stream.read() for stream in self._streams]
        return Finished(
            self._words, ended["status"], *texts, ended["seconds"], ended["timed_out"], ended["left"]
        )


class CommandServer:
    """Starts the server; `folder` takes the streams of the commands."""

    def __init__(self, folder: Path):
        self._folder, self._numbers, self._ended = folder, itertools.count(), dict[int, dict[str, Any]]()
        self._unread = b""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", START, str(Path(__file__).parent)],
            env=ENVIRONMENT, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(
        self,
        program: str,
        *arguments: object,
        cwd: Path,
        signals: Iterable[tuple[float, int]] = (),
        time_limit: float | None = None,
        env: Mapping[str, str | None] | None = None,
        limits: Mapping[str, int] | None = None,
        before: tuple[Path, list[Any]] | None = None,
        patience: float = 0.0,
        cold: bool = False,
    ) -> Running:
        """`signals`: (seconds from the start, number). `time_limit` kills its whole process group. `env`: what is other
        than in ENVIRONMENT; None for what is not set. `limits`: {"RLIMIT_FSIZE": bytes}, as `resource` names them.
        `before`: a Python file, and the arguments of its function `install`, which is called in the command's process.
        `patience`: seconds that its other processes have to end by themselves once it has ended. `cold`: the installed
        script itself, which has imported nothing yet."""
        words = [program, *map(str, arguments)]
        number = next(self._numbers)
        has_limit = "RLIMIT_FSIZE" in (limits or {})
        streams = [_Stream(self._folder / f"{number}.{name}", has_limit) for name in ("stdout", "stderr")]
        request = {
            "arguments": words, "cwd": str(cwd), "streams": [str(stream.path) for stream in streams],
            "signals": list(signals), "time_limit": time_limit, "env": dict(env or {}), "limits": dict(limits or {}),
            "before": before and [str(before[0]), before[1]], "patience": patience, "cold": cold,
        }  # fmt: skip
        self.tell({"start": request})
        while (message := self._message(None)) is not None and "started" not in message:
            self._ended[message["ended"]] = message
        assert message is not None
        self._ended.pop(message["started"], None)  # of an earlier process with this number
        return Running(self, message["started"], words, streams)

    def run(self, program: str, *arguments: object, kill_after: float | None = None, **how: Any) -> Finished:
        """Start and wait. `kill_after`: a SIGKILL after so many seconds, unless it has ended before."""
        kill = [] if kill_after is None else [(kill_after, signal.SIGKILL)]
        running = self.start(program, *arguments, signals=[*how.pop("signals", ()), *kill], **how)
        finished = running.wait()
        assert finished is not None
        return finished

    def tell(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def ended(self, pid: int, timeout: float | None) -> dict[str, Any] | None:
        """What the server said of the end of a command, which may be asked again."""
        end = None if timeout is None else time.monotonic() + timeout
        while pid not in self._ended:
            message = self._message(None if end is None else max(0.0, end - time.monotonic()))
            if message is None:
                return None
            self._ended[message["ended"]] = message
        return self._ended[pid]

    def _message(self, timeout: float | None) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        file = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            if not select.select([file], [], [], timeout)[0]:
                return None
            more = os.read(file, 65536)
            assert more, "the command server has died"
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        """Commands that still run are killed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()
