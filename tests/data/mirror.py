"""A server of data files on this machine, and the ways in which downloads from it fail."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest


class Mirror(ThreadingHTTPServer):
    """Serves `files`. From request number `fails_at` on it fails in the way `how`, unless that is empty."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.how, self.fails_at, self.served = "", 0, 0
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def fail(self, how: str, at: int) -> None:
        self.how, self.fails_at, self.served = how, at, 0

    def fails(self) -> bool:
        self.served += 1
        return bool(self.how) and self.served >= self.fails_at


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        content = self.server.files[self.path.removeprefix("/")]
        how = self.server.how if self.server.fails() else ""
        if how == "not found":
            self.send_error(404)
            return
        half = content[: len(content) // 2]
        if how == "no answer":  # the connection ends without an answer
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(half if how == "half a file" else content)))
        self.end_headers()
        self.wfile.write(half if how else content)

    def log_message(self, *_: object) -> None:
        pass


SERVER_FAILURES = ["no answer", "not found", "connection closed", "half a file"]
OUR_FAILURES = {"disk full": OSError(28, "No space left on device"), "Ctrl-C": KeyboardInterrupt()}
FAILURES = [*SERVER_FAILURES, *OUR_FAILURES]


def break_download(mirror: Mirror, monkeypatch: pytest.MonkeyPatch, how: str, at: int) -> None:
    """Makes a download fail at its file number `at`, on the server's side or on ours."""
    mirror.fail(how if how in SERVER_FAILURES else "", at)
    if how in OUR_FAILURES:
        download = pooch.HTTPDownloader.__call__

        def fail(*arguments: object, **named: object) -> None:
            if mirror.served >= at - 1:
                raise OUR_FAILURES[how]
            download(*arguments, **named)

        monkeypatch.setattr(pooch.HTTPDownloader, "__call__", fail)
