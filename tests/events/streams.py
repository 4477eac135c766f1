"""The stream as it is really run: gunicorn on the API's port, and the process that it hands listeners over to."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from events.published import last_position
from events.relay import CHANNEL

ROOT = Path(__file__).resolve().parents[2]
LONGEST_WAIT_S = 30.0


def publish(user_id: UUID | None, *, count: int = 1, event_type: str = "wallet.updated") -> list[int]:
    """Publish events of a customer in one transaction, as the relay does; tell their positions."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT last FROM events_eventposition WHERE id = 1 FOR UPDATE")
        last = cursor.fetchone()[0]
        for position in range(last + 1, last + count + 1):
            cursor.execute(
                "INSERT INTO events_event (id, position, type, user_id, data, request_id, traceparent, created_at)"
                " VALUES (%s, %s, %s, %s, %s::jsonb, '', '', now())",
                [uuid7(), position, event_type, user_id, orjson.dumps({"number": position}).decode()],
            )
        cursor.execute("UPDATE events_eventposition SET last = %s WHERE id = 1", [last + count])
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    return list(range(last + 1, last_position() + 1))


@dataclass
class Listener:
    """One open stream, read line by line."""

    connection: HTTPConnection
    response: HTTPResponse

    def frames(self, count: int) -> list[dict[str, str]]:
        """Read the next `count` frames that hold an event."""
        found: list[dict[str, str]] = []
        until_s = time.monotonic() + LONGEST_WAIT_S
        while len(found) < count:
            assert time.monotonic() < until_s, f"{count - len(found)} of {count} events didn't come"
            frame = self.frame()
            if "data" in frame:
                found.append(frame)
        return found

    def frame(self) -> dict[str, str]:
        """Read whatever comes next; a comment is under the empty name. Raises EOFError at the end."""
        frame = {}
        while True:
            line = self.response.readline()
            if not line:
                raise EOFError
            if line == b"\n":
                return frame
            name, _, value = line.decode().rstrip("\n").partition(": ")
            frame[name] = value

    def close(self) -> None:
        """Hang up."""
        self.response.close()
        self.connection.close()


@dataclass
class Servers:
    """Both processes, and the listeners that were opened."""

    port: int
    environment: Mapping[str, str]
    log: Path
    listeners: list[Listener] = field(default_factory=list)
    web: Any = None
    stream: Any = None

    def listen(self, authorization: str, *, after: int | None = None, **headers: str) -> Listener:
        """Open a stream on the API's own port."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_WAIT_S)
        sent = {"Authorization": authorization, **headers}
        if after is not None:
            sent["Last-Event-ID"] = str(after)
        connection.request("GET", "/api/v1/events/stream", headers=sent)
        listener = Listener(connection, connection.getresponse())
        self.listeners.append(listener)
        return listener

    def get(self, path: str, authorization: str) -> tuple[int, bytes]:
        """Make a call of the API."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_WAIT_S)
        connection.request("GET", path, headers={"Authorization": authorization})
        response = connection.getresponse()
        answered = response.status, response.read()
        connection.close()
        return answered

    def start_stream(self) -> None:
        """Start the process that holds streams open, and wait for it."""
        self.stream = self._start("manage.py", "serve_stream")
        address = self.environment["STREAM_SOCKET"]

        def takes() -> bool:
            with socket.socket(socket.AF_UNIX) as link, suppress(OSError):
                link.connect(address)
                return True
            return False

        wait_until(takes, self)

    def start_web(self) -> None:
        """Start the API's own server, and wait for it."""
        self.web = self._start(
            *("-m", "gunicorn", "config.wsgi:application", "--config", "config/gunicorn.py")
        )

        def answers() -> bool:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            return False

        wait_until(answers, self)

    def _start(self, *command: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as lines:
            return subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.environment, stderr=lines, stdout=lines
            )


def wait_until(holds: Any, servers: Servers) -> None:
    """Wait until something holds."""
    until_s = time.monotonic() + LONGEST_WAIT_S
    while not holds():
        if time.monotonic() > until_s:
            raise AssertionError(servers.log.read_text())
        time.sleep(0.05)


@contextmanager
def running_servers(folder: Path, environment: Mapping[str, str]) -> Iterator[Servers]:
    """Run both on a free port, in a folder of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        **environment,
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "PORT": str(port),
        "STREAM_SOCKET": os.path.relpath(folder / "s", ROOT),
        "WEB_WORKERS": "1",
        "WEB_THREADS": "2",
    }
    for name in ("global", "user", "payment"):
        own[f"RATE_LIMIT_{name.upper()}"] = "off"
    own.pop("PROMETHEUS_MULTIPROC_DIR", None)
    servers = Servers(port=port, environment=own, log=folder / "log")
    try:
        servers.start_stream()
        servers.start_web()
        yield servers
    finally:
        for listener in servers.listeners:
            listener.close()
        for process in (servers.web, servers.stream):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=LONGEST_WAIT_S)
