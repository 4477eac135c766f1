"""The web server as it is really run: what it is doing when it is told to stop gets done."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
WORK_S = 1.5


@pytest.fixture
def server(
    database_environment: dict[str, str], tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """One gunicorn under the project's own configuration, with a call that takes its time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "slow_urls.py").write_text(
        "import time\n"
        "from django.http import HttpResponse\n"
        "from django.urls import path\n"
        "from config.urls import *\n"
        f"urlpatterns = [path('slow', lambda request: (time.sleep({WORK_S}), HttpResponse('done'))[1]), *urlpatterns]\n"
    )
    (tmp_path / "slow_settings.py").write_text(
        "from config.settings.local import *\nROOT_URLCONF = 'slow_urls'\nALLOWED_HOSTS = ['127.0.0.1']\n"
    )
    environment = {
        **database_environment,
        "DJANGO_SETTINGS_MODULE": "slow_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "PORT": str(port),
        "WEB_WORKERS": "2",
        "WEB_THREADS": "2",
    }
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    log = tmp_path / "log"
    with log.open("wb") as lines:
        child = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "config.wsgi:application", "--config", "config/gunicorn.py"],
            cwd=ROOT, env=environment, stderr=lines, stdout=lines,
        )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield child, port, log
    child.kill()
    child.wait()


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), body


def test_when_the_server_is_told_to_stop_then_it_ends_what_it_has_begun(
    server: tuple[subprocess.Popen[bytes], int, Path],
) -> None:
    child, port, log = server
    status, headers, _ = get(port, "/health", **{"X-Request-ID": "before-the-end"})
    answers: list[tuple[int, dict[str, str], bytes]] = []
    caller = threading.Thread(target=lambda: answers.append(get(port, "/slow")))
    caller.start()
    time.sleep(WORK_S / 3)

    child.send_signal(signal.SIGTERM)
    ended = child.wait(timeout=20)
    caller.join(timeout=20)

    assert (status, headers["X-Request-ID"]) == (200, "before-the-end")
    assert [(status, body) for status, _, body in answers] == [(200, b"done")]
    assert ended == 0
    with pytest.raises(OSError, match="refused"):
        get(port, "/health")
    lines: list[dict[str, Any]] = [
        orjson.loads(line) for line in log.read_bytes().splitlines() if line.startswith(b"{")
    ]
    seen = [(line["path"], line["status"]) for line in lines if line["event"] == "request"]
    assert seen == [("/health", 200), ("/slow", 200)]
    assert lines[0]["request_id"] == "before-the-end"
