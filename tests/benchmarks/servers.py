"""Applications under gunicorn, served as in production."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_START_S = 60.0
ANSWERS_OF_A_STARTED_SERVER = 10


@dataclass(frozen=True)
class Server:
    """A gunicorn that listens on `port` of this machine; `pid` is its master's, `log` what it writes."""

    port: int
    pid: int
    log: Path

    def last_words(self) -> str:
        """Tell the end of the log."""
        return self.log.read_text(errors="replace")[-3000:]


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def served(application: str, *, port: int, environment: Mapping[str, str], log: Path) -> Iterator[Server]:
    """Serve a WSGI application with the project's own gunicorn configuration; its lines go to `log`."""
    command = [sys.executable, "-m", "gunicorn", application, "--config", "config/gunicorn.py"]
    command += ["--bind", f"127.0.0.1:{port}"]
    with log.open("wb") as lines:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
        )
        server = Server(port=port, pid=process.pid, log=log)
        try:
            _wait_until_it_answers(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_until_it_answers(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Wait for several answers in a row: at first the master's own socket takes connections that nobody serves."""
    until = time.monotonic() + LONGEST_START_S
    answers = 0
    while process.poll() is None and time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
            answers += 1
        except (OSError, http.client.HTTPException):
            answers = 0
            time.sleep(0.1)
        finally:
            connection.close()
        if answers == ANSWERS_OF_A_STARTED_SERVER:
            return
    raise SystemExit(f"A server doesn't start. Its last words:\n{server.last_words()}")
