"""What a client says to PostgreSQL, heard on the wire: a proxy that passes everything on and writes it down."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from psycopg import pq
from psycopg.adapt import Transformer


@dataclass
class Step:
    """One statement as it was executed: its text with `$1`, `$2`, … and their values as Python reads them."""

    text: str
    values: list[Any] = field(default_factory=list)


@dataclass
class Conversation:
    """The steps in their order, and how often the client waited for the server."""

    steps: list[Step] = field(default_factory=list)
    round_trips: int = 0
    _prepared: dict[str, tuple[str, list[int]]] = field(default_factory=dict)

    def forget(self) -> None:
        """Start anew; what has been prepared stays known."""
        self.steps.clear()
        self.round_trips = 0

    def hear(self, kind: bytes, body: bytes) -> None:
        """Take one message of the client's."""
        if kind == b"Q":
            self.steps.append(Step(body.rstrip(b"\0").decode()))
            self.round_trips += 1
        elif kind == b"P":
            name, text, rest = body.split(b"\0", 2)
            (count,) = struct.unpack_from("!h", rest)
            self._prepared[name.decode()] = (
                text.decode(),
                list(struct.unpack_from(f"!{count}I", rest, 2)),
            )
        elif kind == b"B":
            self.steps.append(self._bound(body))
        elif kind == b"S":
            self.round_trips += 1

    def _bound(self, body: bytes) -> Step:
        _portal, name, rest = body.split(b"\0", 2)
        text, types = self._prepared[name.decode()]
        (count,) = struct.unpack_from("!h", rest)
        formats = struct.unpack_from(f"!{count}h", rest, 2)
        at = 2 + 2 * count
        (count,) = struct.unpack_from("!h", rest, at)
        at += 2
        values = []
        for place in range(count):
            (length,) = struct.unpack_from("!i", rest, at)
            at += 4
            if length < 0:
                values.append(None)
                continue
            form = formats[place if len(formats) > 1 else 0] if formats else 0
            loader = Transformer().get_loader(types[place], pq.Format(form))
            values.append(loader.load(rest[at : at + length]))
            at += length
        return Step(text, values)


@contextmanager
def overheard(*, host: str, port: int) -> Iterator[tuple[int, Conversation]]:
    """Listen on a port of this machine and pass everything on to PostgreSQL at `host` and `port`, for one client.

    The client must ask for neither TLS nor GSSAPI. Gives the port and what is being said.
    """
    conversation = Conversation()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        passing_on = threading.Thread(target=_pass_on, args=(listener, host, port, conversation), daemon=True)
        passing_on.start()
        yield listener.getsockname()[1], conversation
        passing_on.join(timeout=5)


def _pass_on(listener: socket.socket, host: str, port: int, conversation: Conversation) -> None:
    client, _ = listener.accept()
    with client, socket.create_connection((host, port)) as server:
        answering = threading.Thread(target=_pass_back, args=(server, client), daemon=True)
        answering.start()
        waiting, is_first = b"", True
        while chunk := client.recv(65536):
            waiting += chunk
            while (size := _size(waiting, is_first=is_first)) and len(waiting) >= size:
                message, waiting = waiting[:size], waiting[size:]
                # The start-up message alone has no type.
                if not is_first:
                    conversation.hear(message[:1], message[5:])
                is_first = False
            server.sendall(chunk)
        server.shutdown(socket.SHUT_WR)
        answering.join(timeout=5)


def _size(waiting: bytes, *, is_first: bool) -> int:
    start = 0 if is_first else 1
    if len(waiting) < start + 4:
        return 0
    (length,) = struct.unpack_from("!i", waiting, start)
    return int(start + length)


def _pass_back(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while chunk := server.recv(65536):
            client.sendall(chunk)
