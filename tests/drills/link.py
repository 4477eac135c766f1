"""A line between two servers that can be cut: what is under way in it is lost, as when a network fails."""

import socket
import threading
from contextlib import suppress


class Link:
    """Passes everything on from a port of its own to another one, until it is cut."""

    def __init__(self, *, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._is_cut = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Pass nothing on any more, in either direction, and say so to nobody."""
        self._is_cut.set()

    def close(self) -> None:
        """Close both ends."""
        self.cut()
        for each in [self._listener, *self._open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to_port))
                self._open += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                if self._is_cut.is_set():
                    return
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
