"""What runs on top of the services, and what the person at the terminal reads."""

import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.local.application import answers_ready, background, stream, table, web
from deploy.local.data_directory import DataDirectory
from deploy.local.ports import EVERY_ADDRESS

PYTHON = Path("/venv/bin/python")
ENVIRONMENT = {
    "HOST": "127.0.0.1",
    "PORT": "8000",
    "OPEN_WALLET_MODE": "sandbox",
    "DEMO_PASSWORD": "made-once",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
}

StartServer = Callable[[int], tuple[dict[str, str], list[str]]]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Start a web server that answers everything with one status; give its address and the hosts it was asked for."""
    servers = []

    def start(status: int) -> tuple[dict[str, str], list[str]]:
        hosts: list[str] = []

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hosts.append(f"{self.headers['Host']}{self.path}")
                self.send_response(status)
                self.end_headers()

            def log_request(self, code: object = "", size: object = "") -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return {"HOST": "127.0.0.1", "PORT": str(server.server_port)}, hosts

    yield start

    for server in servers:
        server.shutdown()
        server.server_close()


def test_when_all_is_ready_then_one_table_tells_addresses_and_logins() -> None:
    assert table(ENVIRONMENT) == (
        "┌─────────────────────────────────────────────────────────────┐\n"
        "│ Open Wallet is running (sandbox). Ctrl-C stops it.          │\n"
        "│                                                             │\n"
        "│ Start page            http://127.0.0.1:8000/                │\n"
        "│ Demo                  http://127.0.0.1:8000/demo/           │\n"
        "│ API                   http://127.0.0.1:8000/api/v1          │\n"
        "│ API docs              http://127.0.0.1:8000/api/docs        │\n"
        "│ Back office           http://127.0.0.1:8000/admin/          │\n"
        "│ Metrics               http://127.0.0.1:8000/metrics         │\n"
        "│                                                             │\n"
        "│ Demo logins           password and client secret: made-once │\n"
        "│ alice@example.com     customer                              │\n"
        "│ bob@example.com       customer                              │\n"
        "│ support@example.com   staff: support                        │\n"
        "│ finance@example.com   staff: finance                        │\n"
        "│ admin@example.com     staff: administrator                  │\n"
        "│ demo-service          service client                        │\n"
        "└─────────────────────────────────────────────────────────────┘"
    )


def test_when_in_production_then_the_table_has_no_logins() -> None:
    shown = table({"HOST": EVERY_ADDRESS, "PORT": "80", "OPEN_WALLET_MODE": "production"})

    assert "Open Wallet is running (production)." in shown
    assert "http://127.0.0.1:80/api/v1" in shown
    assert "example.com" not in shown
    assert "/demo/" not in shown


def test_when_the_web_server_starts_then_it_listens_where_it_is_told() -> None:
    program = web(python=PYTHON, environment={**ENVIRONMENT, "HOST": "192.0.2.1", "PORT": "9000"})

    assert program.command[-2:] == ["--bind", "192.0.2.1:9000"]


def test_when_there_is_redis_then_celery_works_and_schedules(tmp_path: Path) -> None:
    programs = background(python=PYTHON, environment=ENVIRONMENT, data=DataDirectory(tmp_path))

    assert [program.name for program in programs] == ["worker", "beat"]
    assert str(tmp_path / "beat" / "schedule") in programs[1].command
    assert {program.orphan_signal for program in programs} == {signal.SIGKILL}


def test_when_there_is_no_redis_then_one_process_sweeps(tmp_path: Path) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "REDIS_URL"}

    programs = background(python=PYTHON, environment=environment, data=DataDirectory(tmp_path))

    assert [list(program.command) for program in programs] == [["/venv/bin/python", "manage.py", "work"]]


@pytest.mark.parametrize(("status", "is_ready"), [(200, True), (503, False), (301, False), (404, False)])
def test_when_the_health_page_answers_then_only_200_is_ready(
    start_server: StartServer, status: int, is_ready: bool
) -> None:
    environment, _ = start_server(status)

    assert answers_ready(environment) is is_ready


def test_when_nobody_listens_then_it_is_not_ready() -> None:
    assert answers_ready({"HOST": "127.0.0.1", "PORT": "1"}) is False


@pytest.mark.parametrize(
    ("allowed_hosts", "asked_for"),
    [
        ("wallet.example.com,other", "wallet.example.com"),
        ("*", None),
        (".example.com", "example.com"),
        ("", None),
    ],
)
def test_when_hosts_are_restricted_then_an_allowed_one_is_asked_for(
    start_server: StartServer, allowed_hosts: str, asked_for: str | None
) -> None:
    environment, hosts = start_server(200)

    answers_ready({**environment, "ALLOWED_HOSTS": allowed_hosts})

    assert hosts == [f"{asked_for or '127.0.0.1:' + environment['PORT']}/health/ready"]


def test_when_the_stream_starts_then_it_takes_listeners_over_at_the_socket() -> None:
    program = stream(python=PYTHON, environment={**ENVIRONMENT, "STREAM_SOCKET": "/data/stream.socket"})

    assert list(program.command) == ["/venv/bin/python", "manage.py", "serve_stream"]
    assert program.environment["STREAM_SOCKET"] == "/data/stream.socket"
    assert program.orphan_signal == signal.SIGKILL
