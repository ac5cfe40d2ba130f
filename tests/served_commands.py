"""The process behind `command_server.py`. Its standard input brings requests, and its standard output says when a command has
started and ended, as JSON lines."""

import gc
import heapq
import json
import os
import select
import signal
import time
from typing import Any, NamedTuple

from forked_command import carry_out, import_all
from process_groups import outlived


class Timer(NamedTuple):
    """A signal that is due."""

    at: float
    pid: int
    started: float  # with the pid it names one command: numbers of processes come back
    number: int
    is_limit: bool


def serve() -> None:
    """Until the input ends."""
    import_all()
    gc.freeze()  # so that no fork copies what it does not change
    server = Server()
    while (request := server.next_request()) is not None:
        pid = os.fork()
        if pid == 0:
            server.leave()
            carry_out(request)
        server.started(pid, request)
    server.kill_all()


class Server:
    """Waits for requests, for ends of commands and for the times of signals, in one thread: forks of a process with
    threads can hang."""

    def __init__(self) -> None:
        self._commands: dict[int, float] = {}  # pid → when it was started; those that are not reaped
        self._patience: dict[int, float] = {}
        self._limited: set[int] = set()
        self._timers: list[Timer] = []
        self._unread = b""
        self._wakes, self._wake = os.pipe()
        for end in (self._wakes, self._wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests, which close our standard input

    def next_request(self) -> dict[str, Any] | None:
        """The next command to start; None at the end of the input."""
        while True:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                message = json.loads(line)
                if "start" in message:
                    return message["start"]
                self._send(*message["signal"])
            elif 0 in self._wait():
                if not (more := os.read(0, 65536)):
                    return None
                self._unread += more

    def _wait(self) -> list[int]:
        """For input, for the end of a command or for the next signal."""
        seconds = max(0.0, self._timers[0].at - time.monotonic()) if self._timers else None
        ready = select.select([0, self._wakes], [], [], seconds)[0]
        if self._wakes in ready:
            os.read(self._wakes, 4096)
        self._reap()
        while self._timers and self._timers[0].at <= time.monotonic():
            timer = heapq.heappop(self._timers)
            if self._commands.get(timer.pid) != timer.started:
                continue
            if timer.is_limit:
                self._limited.add(timer.pid)
                os.killpg(timer.pid, timer.number)
            else:
                self._send(timer.pid, timer.number)
        return ready

    def _send(self, pid: int, number: int) -> None:
        if pid in self._commands:  # not reaped yet: its number is no other process's
            os.kill(pid, number)

    def _reap(self) -> None:
        for pid, started in list(self._commands.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            seconds, timed_out = time.monotonic() - started, pid in self._limited
            del self._commands[pid]
            self._limited.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            left = outlived(pid, self._patience.pop(pid))
            _say(ended=pid, status=code, seconds=seconds, timed_out=timed_out, left=left)

    def started(self, pid: int, request: dict[str, Any]) -> None:
        os.setpgid(pid, pid)
        started = self._commands[pid] = time.monotonic()
        self._patience[pid] = request["patience"]
        for seconds, number in request["signals"]:
            heapq.heappush(self._timers, Timer(started + seconds, pid, started, number, False))
        if (limit := request["time_limit"]) is not None:
            heapq.heappush(self._timers, Timer(started + limit, pid, started, signal.SIGKILL, True))
        _say(started=pid)

    def leave(self) -> None:
        """In a fork: it serves nobody, and has a process group of its own."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._wakes)
        os.close(self._wake)

    def kill_all(self) -> None:
        for pid in self._commands:
            outlived(pid, 0)


def _say(**message: Any) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")
