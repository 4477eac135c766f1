"""Receivers of webhooks: real HTTP servers on this machine, which remember what they were sent."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from events.endpoints import create_endpoint, revealed_secret
from events.models import WebhookEndpoint

Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Hook:
    """One request as it came in."""

    at_s: float
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found


@dataclass
class Receiver:
    """A server, what it was sent, and how it answers the n-th request (from 0)."""

    answer: Callable[[int, Hook], Answer]
    hooks: list[Hook] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    def positions_by_wallet(self) -> dict[str, list[int]]:
        """The positions that came in, wallet by wallet, in the order of their coming."""
        found: dict[str, list[int]] = {}
        for hook in self.hooks:
            found.setdefault(str(hook.message["wallet_id"]), []).append(hook.message["position"])
        return found


def ok(_number: int, _hook: Hook) -> Answer:
    """Take everything."""
    return 200, {}, b"taken"


def slow(delay_s: float) -> Callable[[int, Hook], Answer]:
    """Take everything after a while."""

    def answer(_number: int, _hook: Hook) -> Answer:
        time.sleep(delay_s)
        return 204, {}, b""

    return answer


class Server(ThreadingHTTPServer):
    """Room for as many connections at once as senders open; one that finds none comes back a second later."""

    request_queue_size = 128


@contextmanager
def receiver(
    answer: Callable[[int, Hook], Answer] = ok, *, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """Serve on a free port until the block ends."""
    state = Receiver(answer)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            with lock:
                state.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            hook = Hook(time.monotonic(), self.path, headers, body)
            with lock:
                number = len(state.hooks)
                state.hooks.append(hook)
            status, more, text = state.answer(number, hook)
            try:
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except OSError:
                return  # the sender's patience was over

        def log_message(self, *_arguments: Any) -> None:
            return

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/hooks?from=wallet"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def endpoint_for(url: str, **choices: Any) -> WebhookEndpoint:
    """Make an endpoint as a program does."""
    facts = {"event_types": ["*"], "description": "", "user_id": None, "actor": "service:tester"}
    return create_endpoint(url=url, once=lambda write: write(), **{**facts, **choices})


def secret_of(endpoint: WebhookEndpoint) -> str:
    """The secret as its owner was shown it."""
    endpoint.refresh_from_db()
    return revealed_secret(endpoint.sealed_secret, endpoint_id=endpoint.id)
