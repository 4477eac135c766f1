"""How listeners get from the API's port to the process that holds streams open: their connection is handed over.

A thread for each listener would leave none for the API, and a proxy in front of it would slow each call. The web
server passes the connection itself (its descriptor, by SCM_RIGHTS over a Unix socket) together with the request; the
other process answers as if it had accepted it, and the web server forgets it.
"""

import contextlib
import os
import socket
import ssl
import stat
from collections.abc import Callable, Iterable
from typing import Any

STREAM_PATHS = frozenset({"/api/v1/events/stream", "/api/v1/events/stream/"})
LONGEST_HEAD_BYTES = 65_536
PATIENCE_S = 2.0
TAKEN = b"\x06"

# What speaks of the connection rather than of the request; this connection ends with its answer.
_OF_THE_CONNECTION = frozenset(
    {"HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_EXPECT", "HTTP_UPGRADE", "HTTP_TE", "HTTP_TRAILER"}
)

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class HandsStreamsOver:
    """A WSGI application that hands requests for the stream over where it can, and answers all others itself.

    Whatever can't be handed over (no such process, TLS, another web server) goes to the application, which sends
    what was missed and lets the listener come back.
    """

    def __init__(self, application: Application, *, address: str) -> None:
        self.application = application
        self.address = address

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in STREAM_PATHS and self.address and self._hand_over(environ):
            # Goes nowhere: what the web server writes from here on is written to a closed socket.
            start_response("200 OK", [])
            return []
        return self.application(environ, start_response)

    def _hand_over(self, environ: dict[str, Any]) -> bool:
        connection = environ.get("gunicorn.socket")
        has_body = environ.get("CONTENT_LENGTH") not in (None, "", "0") or "HTTP_TRANSFER_ENCODING" in environ
        if not isinstance(connection, socket.socket) or isinstance(connection, ssl.SSLSocket):
            return False
        if environ["REQUEST_METHOD"] != "GET" or has_body:
            return False
        head = request_head(environ)
        if len(head) > LONGEST_HEAD_BYTES:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(PATIENCE_S)
            try:
                link.connect(self.address)
                sent = socket.send_fds(link, [head], [connection.fileno()])
            except OSError:
                return False
            # From here on the connection may have another owner, whatever becomes of this exchange.
            with contextlib.suppress(OSError):
                link.sendall(head[sent:])
                link.shutdown(socket.SHUT_WR)
                link.recv(len(TAKEN))
        forget(connection)
        return True


def request_head(environ: dict[str, Any]) -> bytes:
    """Write a request without a body as it came, from what the web server has read of it."""
    lines = [f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {environ['SERVER_PROTOCOL']}"]
    for name, value in environ.items():
        if name.startswith("HTTP_") and name not in _OF_THE_CONNECTION:
            lines.append(f"{name.removeprefix('HTTP_').replace('_', '-').title()}: {value}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")


def forget(connection: socket.socket) -> None:
    """Let a socket object hold a closed connection in the place of its own, which lives on elsewhere.

    Whatever its owner does with it now, shutting it down at its end above all, no longer reaches the client.
    """
    closed, other_end = socket.socketpair()
    other_end.close()
    with closed:
        os.dup2(closed.fileno(), connection.fileno(), inheritable=False)


def listen_for_connections(address: str) -> socket.socket:
    """Listen on a Unix socket that its owner alone may open; one that a killed process has left is replaced."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(address).st_mode):
            os.unlink(address)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def take_over(link: socket.socket) -> tuple[socket.socket, bytes] | None:
    """Take one connection and its request from `link`, and say so; None where nothing whole has come."""
    with link:
        link.settimeout(PATIENCE_S)
        descriptors: list[int] = []
        try:
            head, descriptors, _flags, _address = socket.recv_fds(link, LONGEST_HEAD_BYTES, 1)
            while more := link.recv(LONGEST_HEAD_BYTES):
                head += more
            if len(descriptors) != 1 or not head.endswith(b"\r\n\r\n"):
                raise OSError
            link.sendall(TAKEN)
        except OSError:
            for descriptor in descriptors:
                os.close(descriptor)
            return None
    return socket.socket(fileno=descriptors[0]), head
