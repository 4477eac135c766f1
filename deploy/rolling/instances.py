"""The two web servers: each is reached by a link to its socket, and replaced by the script that operators use."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.local.refusals import CannotStart

ROOT = Path(__file__).resolve().parents[2]
REPLACE = ROOT / "deploy" / "nginx" / "replace.sh"
READY_WITHIN_S = 90.0
ENDS_WITHIN_S = 60.0


class Instance:
    """One place behind the proxy, and the process that fills it at the moment."""

    def __init__(self, name: str, *, folder: Path, environment: Mapping[str, str]) -> None:
        self.link = folder / f"{name}.sock"
        self.folder = folder
        self.environment = environment
        self.generation = 0
        self.process: subprocess.Popen[bytes] | None = None

    def replace(self) -> None:
        """Start a new process, wait until it is ready, put it into the place, and let the old one end what it has."""
        before = self.process
        self.generation += 1
        path = self.link.with_suffix(f".{self.generation}")
        self.process = self._start(path)
        command = [str(REPLACE), str(self.link), str(path), *([str(before.pid)] if before else [])]
        replacing = subprocess.Popen(command)
        if before is not None:
            # The script waits until the process is gone, which it is when its parent has taken notice.
            ended = before.wait(ENDS_WITHIN_S)
            if ended != 0:
                raise CannotStart(
                    f"A web server that was told to stop ended with {ended}: {self._last_words()}"
                )
        if replacing.wait(ENDS_WITHIN_S) != 0:
            raise CannotStart("deploy/nginx/replace.sh failed.")

    def stop(self) -> None:
        """End the process."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(ENDS_WITHIN_S)

    def _start(self, path: Path) -> subprocess.Popen[bytes]:
        with (self.folder / "web.log").open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "config.wsgi:application",
                    "--config",
                    "config/gunicorn.py",
                ],
                cwd=ROOT,
                env={**self.environment, "WEB_SOCKET": str(path)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until_s = time.monotonic() + READY_WITHIN_S
        while not _is_ready(path):
            if process.poll() is not None or time.monotonic() > until_s:
                process.kill()
                raise CannotStart(f"A web server doesn't start: {self._last_words()}")
            time.sleep(0.1)
        return process

    def _last_words(self) -> str:
        return (self.folder / "web.log").read_text(errors="replace")[-1500:]


class Over(http.client.HTTPConnection):
    """An HTTP connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def _is_ready(path: Path) -> bool:
    connection = Over(path)
    try:
        connection.request("GET", "/health/ready", headers={"X-Forwarded-Proto": "https"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
