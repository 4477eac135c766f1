"""HTTP for a pretended provider on this machine: keeps nothing itself, and breaks on demand.

A failure is told ahead, for the next request or several: `timeout_after`, `error_before` and the like say what goes
wrong, and whether the provider has acted by then. Its api is a `ProviderApi`, which keeps the books.
"""

import json
import socket
import struct
import sys
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SLOWER_THAN_THE_CLIENT_S = 1.0
DRIP_S = 0.05
HUGE_BYTES = 3_000_000


@dataclass
class Received:
    """A request as it came; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """What is answered: a JSON document, or bytes as they are."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if isinstance(self.document, bytes):
            return self.document
        return b"" if self.document is None else json.dumps(self.document).encode()


class ProviderApi(ABC):
    """The books and rules of a provider. `answer` runs in many threads at once."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.received: list[Received] = []
        self._failures: list[str] = []

    @abstractmethod
    def answer(self, request: Received) -> Reply:
        """Act, and say what came of it."""

    def break_down(self, request: Received, *, has_acted: bool) -> Reply:
        """Answer 500, having acted or not."""
        if has_acted:
            self.answer(request)
        return Reply(500, {"error": {"type": "api_error"}})

    def fail_next(self, *failures: str) -> None:
        """Let the next requests go wrong, one after the other; an empty word lets one pass."""
        with self.lock:
            self._failures.extend(failures)

    def heal(self) -> None:
        """Forget the failures that were told ahead."""
        with self.lock:
            self._failures.clear()

    def taken_failure(self) -> str:
        with self.lock:
            return self._failures.pop(0) if self._failures else ""

    def asked(self, method: str, path: str) -> list[Received]:
        """Give the requests for one path, in the order in which they came."""
        return [found for found in self.received if (found.method, found.path) == (method, path)]


class _Handler(BaseHTTPRequestHandler):
    api: ProviderApi
    protocol_version = "HTTP/1.1"
    # Head and body are two writes, which would wait for each other.
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        request = Received(
            method=self.command,
            path=parts.path,
            query=parts.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        with self.api.lock:
            self.api.received.append(request)
        failure, _, moment = self.api.taken_failure().partition("_")
        has_acted = moment == "after"
        if failure == "error":
            self._answer(self.api.break_down(request, has_acted=has_acted))
            return
        reply = self.api.answer(request) if has_acted or not failure else Reply(500)
        if failure == "timeout":
            time.sleep(SLOWER_THAN_THE_CLIENT_S)
            self.close_connection = True
        elif failure == "reset":
            # With a linger of 0 s the close is a reset: the client learns nothing.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif failure == "cut":
            self._answer(reply, told_bytes=len(reply.content()) + 10)
            self.close_connection = True
        elif failure == "drip":
            self._answer(reply, pause_s=DRIP_S)
        elif failure == "huge":
            self._answer(Reply(200, b" " * HUGE_BYTES))
        elif failure == "garbage":
            self._answer(Reply(200, b"<html>"))
        elif failure == "list":
            self._answer(Reply(200, []))
        elif failure == "redirect":
            self._answer(Reply(307, headers={"Location": self.path + "/elsewhere"}))
        elif failure == "conflict":
            self._answer(Reply(409, {"error": {"code": "idempotency_key_in_use"}}))
        elif failure == "busy":
            self._answer(Reply(429, {"error": {"code": "rate_limit"}}, {"Retry-After": "0"}))
        elif failure == "later":
            self._answer(Reply(429, {"error": {"code": "rate_limit"}}, {"Retry-After": "3600"}))
        else:
            self._answer(reply)

    def _answer(self, reply: Reply, *, told_bytes: int | None = None, pause_s: float = 0) -> None:
        content = reply.content()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if told_bytes is None else told_bytes))
        self.end_headers()
        try:
            if not pause_s:
                self.wfile.write(content)
                return
            for place in range(len(content)):
                self.wfile.write(content[place : place + 1])
                time.sleep(pause_s)
        except OSError:
            # The client has had enough, as it should.
            self.close_connection = True

    def log_message(self, template: str, *arguments: Any) -> None:
        """Say nothing on the test's terminal."""


for _method in ("GET", "POST", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler._serve)


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True
    # A request that is still asleep must not hold the end of a test.
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up: that is what the tests make them do."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class ProviderServer:
    """A running provider; `url` is where it listens."""

    def __init__(self, api: ProviderApi) -> None:
        self.api = api
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": api}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
