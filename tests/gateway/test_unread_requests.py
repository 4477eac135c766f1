"""Requests that gunicorn can't read: answered as all refusals are, and nothing of them repeated or kept."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
CARD = "4539148803436467"
GROUPS = "4539 1488 0343 6467"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """gunicorn under the project's own configuration; it needs no database to refuse."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("unread") / "log"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "PORT": str(port),
        "WEB_WORKERS": "1",
        "WEB_THREADS": "2",
    }
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    with log.open("wb") as lines:
        child = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "config.wsgi:application", "--config", "config/gunicorn.py"],
            cwd=ROOT, env=environment, stderr=lines, stdout=lines,
        )  # fmt: skip
    until = time.monotonic() + 60
    while time.monotonic() < until and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield port, log
    child.kill()
    child.wait()


def answer_to(port: int, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are, and read until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        told = b""
        while part := connection.recv(65536):
            told += part
    head, _, body = told.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (f"GET /api/v1/wallet?q={CARD * 300} HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "uri_too_long"),
        (f"GET /health HTTP/1.1\r\nX-Card: {CARD * 600}\r\n\r\n", 431, "headers_too_large"),
        (f"GET /api/v1/wallet/{GROUPS} HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
        (f"({CARD}) /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"),
        (f"GET /health HTTP/1.1\r\n{CARD} : x\r\n\r\n", 400, "bad_request"),
        (f"GET /health HTTP/1.1\r\nTransfer-Encoding: {CARD}\r\n\r\n", 400, "bad_request"),
        (f"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: {CARD}x\r\n\r\n", 400, "bad_request"),
    ],
    ids=["address", "header", "version", "method", "header's name", "coding", "length"],
)
def test_when_a_request_cannot_be_read_then_it_is_refused_by_code_and_nothing_of_it_is_kept(
    server: tuple[int, Path], sent: str, status: int, code: str
) -> None:
    port, log = server

    answered, headers, body = answer_to(port, sent.encode())

    assert (answered, headers["Content-Type"]) == (status, "application/problem+json")
    problem = orjson.loads(body)
    assert (problem["code"], problem["status"]) == (code, status)
    assert problem["request_id"] == headers["X-Request-ID"]
    assert headers["Connection"] == "close"
    kept = body + log.read_bytes()
    assert problem["request_id"].encode() in log.read_bytes()
    assert CARD.encode() not in kept
    assert GROUPS[-9:].encode() not in kept
