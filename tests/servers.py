"""A local HTTP server whose faults are scripted, request by request, and which counts what it really sent.

``with FaultServer() as server: server.serve("/a.zip", content, Step(drop_after=100), Step())`` cuts the first transfer
and serves the second one well. The last step repeats; without steps the server makes no mistake.
"""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

SEND = 16 * 1024
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How one request is answered; every default is what a right file server does."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Sent instead of the content."""
    etag: str | None = "auto"
    """None leaves it out; "auto" is strong and follows the content."""
    last_modified: str | None = "Wed, 05 Jul 2023 10:00:00 GMT"
    drop_after: int | None = None
    """Close the connection after this many bytes of the body."""
    delay: float = 0.0
    """Seconds before each piece of the body."""
    piece: int = SEND
    ignore_range: bool = False
    ignore_if_range: bool = False
    """Send the rest of whatever version is there now."""
    wrong_offset: int = 0
    """Added to the start that is sent and stated."""
    wrong_total: int = 0
    """Added to the total that Content-Range states."""
    no_length: bool = False
    content_encoding: str | None = None
    """Stated only; ``body`` may hold bytes that fit."""


@dataclass(slots=True)
class Seen:
    """A request and what became of it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int = 0
    sent: int = 0

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


Answer = Callable[[Seen], tuple[bytes, Step]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        self.server.fault.connections.add(self.connection)

    def finish(self) -> None:
        self.server.fault.connections.discard(self.connection)
        super().finish()

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, parts.path, query, headers)
        self.server.fault.requests.append(seen)
        content, step = self.server.fault.answer(seen)
        status, start, body, fields = _plan(content, step, headers)
        seen.status = status
        self.send_response(status)
        for name, value in (fields | dict(step.headers)).items():
            self.send_header(name, value)
        if step.no_length:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "GET":
            self._send(seen, body[start:], step)

    def _send(self, seen: Seen, body: bytes, step: Step) -> None:
        limit = len(body) if step.drop_after is None else min(step.drop_after, len(body))
        try:
            while seen.sent < limit:
                if step.delay and self.server.fault.closing.wait(step.delay):
                    break
                piece = body[seen.sent : min(seen.sent + step.piece, limit)]
                self.wfile.write(piece)
                seen.sent += len(piece)
        except OSError:
            self.close_connection = True
        if step.drop_after is not None:
            self.close_connection = True


def _plan(content: bytes, step: Step, asked: dict[str, str]) -> tuple[int, int, bytes, dict[str, str]]:
    """Status, first byte to send, body, headers."""
    body = content if step.body is None else step.body
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"' if step.etag == "auto" else step.etag
    fields = {"ETag": etag, "Last-Modified": step.last_modified, "Content-Encoding": step.content_encoding}
    headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    headers |= {name: value for name, value in fields.items() if value is not None}
    status, start = step.status or 200, 0
    condition = asked.get("if-range")
    current = condition is None or step.ignore_if_range or condition in {etag, step.last_modified}
    if "range" in asked and step.status in {None, 206} and not step.ignore_range and current:
        start = int(asked["range"].removeprefix("bytes=").partition("-")[0])
        if start >= len(body):
            return 416, len(body), body, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"}
        status, start = 206, start + step.wrong_offset
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body) + step.wrong_total}"
    if not step.no_length:
        headers["Content-Length"] = str(len(body) - start)
    return status, start, body, headers


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    fault: "FaultServer"

    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are part of the tests."""


class FaultServer:
    """Serves scripted files on 127.0.0.1; ``requests`` holds what was asked, in order."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.connections: set[socket.socket] = set()
        self.closing = threading.Event()
        self._routes: dict[str, Answer] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fault = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        for connection in list(self.connections):
            # Idle keep-alive connections would hold their threads, and so the join below.
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._server.server_close()

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def answer(self, seen: Seen) -> tuple[bytes, Step]:
        route = self._routes.get(seen.path)
        return route(seen) if route else (b"not here", Step(status=404))

    def sent(self, path: str | None = None) -> int:
        """Body bytes that left for one path, or for all."""
        return sum(seen.sent for seen in self.requests if path in {None, seen.path})

    def asked(self, path: str) -> list[Seen]:
        return [seen for seen in self.requests if seen.path == path]

    def route(self, path: str, answer: Answer) -> str:
        self._routes[path] = answer
        return self.url(path)

    def serve(self, path: str, content: bytes, *steps: Step) -> str:
        """A file; the n-th request for it is answered by the n-th step."""
        left = list(steps)

        def answer(_: Seen) -> tuple[bytes, Step]:
            if not left:
                return content, Step()
            return content, left.pop(0) if len(left) > 1 else left[0]

        return self.route(path, answer)

    def page(self, path: str, html: str, status: int = 200) -> str:
        return self.serve(path, html.encode(), page_step(status))

    def redirect(self, path: str, location: str) -> str:
        return self.serve(path, b"", Step(status=302, headers={"Location": location}))

    def drive(self, files: Mapping[str, bytes], *, action: str = "/download", quota: bool = False) -> str:
        """Google Drive: files behind the virus-scan page, or behind the quota page. Returns the endpoint."""

        def answer(seen: Seen) -> tuple[bytes, Step]:
            content = files.get(seen.query.get("id", ""))
            if content is None:
                return b"<html><title>Error 404 (Not Found)!!1</title></html>", page_step(404)
            if quota:
                return QUOTA_PAGE.encode(), page_step(200)
            if seen.query.get("confirm") == "t" and seen.query.get("uuid") == "u-1":
                # The real one names the file; hqdata must not listen.
                return content, Step(headers={"Content-Disposition": 'attachment; filename="../evil.zip"'})
            return confirm_page(seen.query["id"], action).encode(), page_step(200)

        self.route("/download", answer)
        return self.url()

    def hub(self, repo_id: str, path: str, content: bytes, *, revision: str = "main", repo_type: str = "model") -> str:
        """A file of the Hugging Face Hub. Returns the endpoint."""
        prefix = "" if repo_type == "model" else f"/{repo_type}s"
        digest = hashlib.sha256(content).hexdigest()
        headers = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
        self.serve(f"{prefix}/{repo_id}/resolve/{revision}/{path}", content, Step(headers=headers))
        return self.url()


def page_step(status: int = 200) -> Step:
    return Step(status=status, headers={"Content-Type": "text/html; charset=utf-8"}, etag=None, last_modified=None)


def confirm_page(file_id: str, action: str) -> str:
    return (
        "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
        '<p class="uc-warning-caption">Google Drive can\'t scan this file for viruses.</p>'
        f'<form id="download-form" action="{action}" method="get">'
        '<input type="submit" id="uc-download-link" value="Download anyway"/>'
        f'<input type="hidden" name="id" value="{file_id}"><input type="hidden" name="export" value="download">'
        '<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="u-1">'
        "</form></body></html>"
    )


QUOTA_PAGE = (
    "<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>"
    '<p class="uc-error-caption">Sorry, you can\'t view or download this file at this time.</p>'
    '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Please try accessing '
    "the file again later.</p></body></html>"
)


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Poll until something holds; fails if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
