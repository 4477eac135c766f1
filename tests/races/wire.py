"""What goes over the wire to PostgreSQL, counted between the driver and the server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections


class Wire:
    """One connection's traffic: statements as they are parsed, and round trips (`ReadyForQuery` of the server)."""

    def __init__(self, host: str, port: int) -> None:
        self.round_trips = 0
        self.statements: list[str] = []
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def reset(self) -> None:
        """Start counting anew."""
        self.round_trips, self.statements = 0, []

    def close(self) -> None:
        """Stop listening and close what is open."""
        for opened in self._sockets:
            try:
                opened.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side was quicker
            finally:
                opened.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        try:
            client, _address = self._listener.accept()
        except OSError:
            return
        server = socket.create_connection(self._server)
        self._sockets += [client, server]
        for source, target, read in (
            (client, server, self._from_client),
            (server, client, self._from_server),
        ):
            thread = threading.Thread(target=self._pump, args=(source, target, read), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, read) -> None:
        unread = b""
        has_started = read == self._from_server
        try:
            while data := source.recv(65536):
                unread += data
                if not has_started and len(unread) >= 4:
                    # The first message of a client has no type.
                    length = int.from_bytes(unread[:4], "big")
                    if len(unread) >= length:
                        unread, has_started = unread[length:], True
                while has_started and len(unread) >= 5:
                    length = 1 + int.from_bytes(unread[1:5], "big")
                    if len(unread) < length:
                        break
                    read(unread[:1], unread[5:length])
                    unread = unread[length:]
                target.sendall(data)
        except OSError:
            return

    def _from_client(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":
            self.statements.append(body.rstrip(b"\0").decode())
        elif kind == b"P":
            self.statements.append(body.split(b"\0")[1].decode())

    def _from_server(self, kind: bytes, _body: bytes) -> None:
        if kind == b"Z":
            self.round_trips += 1


@contextmanager
def wire_to_database() -> Iterator[Wire]:
    """Send the application's connection through a counting wire for the block."""
    connection = connections["default"]
    connection.close()
    settings, before = connection.settings_dict, dict(connection.settings_dict)
    wire = Wire(settings["HOST"], int(settings["PORT"]))
    options = {**settings["OPTIONS"], "sslmode": "disable", "gssencmode": "disable"}
    settings.update(HOST="127.0.0.1", PORT=wire.port, OPTIONS=options)
    try:
        yield wire
    finally:
        connection.close()
        settings.update(before)
        wire.close()
