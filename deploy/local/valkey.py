"""The embedded Valkey: broker and cache on a free port of this machine. Losing its data loses no money and no job."""

import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from deploy.local.data_directory import DataDirectory
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.programs import Program

SERVER_NAMES = ("valkey-server", "redis-server")


def find_server(*, wheel: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Return the server of the installed wheel, else one on PATH, else None: Redis is optional."""
    if wheel and os.access(wheel, os.X_OK):
        return wheel
    for name in SERVER_NAMES:
        on_path = shutil.which(name, path=environment.get("PATH", ""))
        if on_path:
            return Path(on_path)
    return None


class KeyValueServer:
    """One Valkey (or Redis) server under `data.valkey`."""

    def __init__(self, *, server: Path, data: DataDirectory, durable: bool) -> None:
        self.server = server
        self.data = data
        self.durable = durable
        self.port = free_port()
        self._password = data.secrets()["valkey_password"]

    def url(self) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def program(self) -> Program:
        """Return the server as the supervisor runs it."""
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "requirepass": self._password,
            "dir": str(self.data.valkey),
            "save": '""',
            "appendonly": "yes" if self.durable else "no",
            "daemonize": "no",
        }
        # In a file, because every user of this machine can read a command line.
        file = self.data.valkey / "valkey.conf"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as configuration:
            configuration.writelines(f"{name} {value}\n" for name, value in settings.items())
        return Program(
            name="valkey",
            command=[str(self.server), str(file)],
            environment={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
            is_ready=lambda: answers_as_valkey(self.port, self._password),
        )


def answers_as_valkey(port: int, password: str) -> bool:
    """Return whether the server has loaded its data and takes commands."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                chunk = connection.recv(256)
                if not chunk:
                    return False
                answer += chunk
            return answer == b"+OK\r\n+PONG\r\n"
    except OSError:
        return False
