"""Open Wallet's own processes, and the table that tells a person where to find them."""

import http.client
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from deploy.local.data_directory import DataDirectory
from deploy.local.environment import PRODUCTION
from deploy.local.ports import reachable
from deploy.local.programs import Console, Program

READY_PATH = "/health/ready"
WORKER_PROCESSES = "2"
WORKER_QUEUES = "money,webhooks,reports"
DEMO_LOGINS = (
    ("alice@example.com", "customer"),
    ("bob@example.com", "customer"),
    ("support@example.com", "staff: support"),
    ("finance@example.com", "staff: finance"),
    ("admin@example.com", "staff: administrator"),
    ("demo-service", "service client"),
)


def prepare(*, python: Path, environment: Mapping[str, str]) -> Program:
    """Return what migrates the database and, in the sandbox, makes the demo data; it ends by itself."""
    return Program(name="prepare", command=[str(python), "manage.py", "prepare"], environment=environment)


def collect_static_files(*, python: Path, environment: Mapping[str, str]) -> Program:
    """Return what gathers and compresses the style sheets and scripts that production serves; it ends by itself."""
    command = [str(python), "manage.py", "collectstatic", "--no-input"]
    return Program(name="collectstatic", command=command, environment=environment)


def web(*, python: Path, environment: Mapping[str, str]) -> Program:
    """Return the web server."""
    address = f"{environment['HOST']}:{environment['PORT']}"
    return Program(
        name="web",
        command=[
            *(str(python), "-m", "gunicorn", "config.wsgi:application"),
            *("--config", "config/gunicorn.py", "--bind", address),
        ],
        environment=environment,
        is_ready=lambda: answers_ready(environment),
        console=Console.EVERYTHING,
    )


def stream(*, python: Path, environment: Mapping[str, str]) -> Program:
    """Return what holds streams of events open, for listeners that the web server hands over."""
    return _python_program("stream", ["manage.py", "serve_stream"], python=python, environment=environment)


def background(*, python: Path, environment: Mapping[str, str], data: DataDirectory) -> list[Program]:
    """Return what does the due work: Celery's worker and beat, or without Redis one process that sweeps."""
    if not environment.get("REDIS_URL"):
        return [_python_program("work", ["manage.py", "work"], python=python, environment=environment)]
    # It would say at every start that root is no user for it; in a container there is none other.
    celery = [
        "-W",
        "ignore:You're running the worker with superuser privileges",
        "-m",
        "celery",
        "--app",
        "config",
    ]
    level = ["--loglevel", environment.get("LOG_LEVEL") or "INFO"]
    # Celery's prefork pool needs shared memory, which some containers don't give.
    pool = "prefork" if os.access("/dev/shm", os.W_OK) or not Path("/proc").exists() else "threads"  # noqa: S108
    worker = [*celery, "worker", *level, "--pool", pool, "--concurrency", WORKER_PROCESSES]
    worker += ["--queues", WORKER_QUEUES]
    beat = [*celery, "beat", *level, "--schedule", str(data.beat_schedule)]
    return [
        _python_program(
            "worker",
            [*worker, "--without-gossip", "--without-mingle"],
            python=python,
            environment=environment,
        ),
        _python_program("beat", beat, python=python, environment=environment),
    ]


def _python_program(
    name: str, arguments: list[str], *, python: Path, environment: Mapping[str, str]
) -> Program:
    # Nobody is left to wait for them when the supervisor is killed: what they had under way is found
    # again by the sweep, so they end at once.
    return Program(
        name=name,
        command=[str(python), *arguments],
        environment=environment,
        orphan_signal=signal.SIGKILL,
        console=Console.WARNINGS,
    )


def answers_ready(environment: Mapping[str, str]) -> bool:
    """Return whether the web server says that it and what it needs are ready."""
    address = reachable(environment["HOST"])
    connection = http.client.HTTPConnection(address, int(environment["PORT"]), timeout=5.0)
    allowed = (environment.get("ALLOWED_HOSTS") or "").split(",")[0].strip().strip("*.")
    headers = {"Host": allowed} if allowed else {}
    try:
        connection.request("GET", READY_PATH, headers=headers)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def table(environment: Mapping[str, str]) -> str:
    """Return the one table that is printed when everything answers."""
    base = f"http://{reachable(environment['HOST'])}:{environment['PORT']}"
    mode = environment["OPEN_WALLET_MODE"]
    rows = [
        ("Start page", f"{base}/"),
        *([("Demo", f"{base}/demo/")] if mode != PRODUCTION else []),
        ("API", f"{base}/api/v1"),
        ("API docs", f"{base}/api/docs"),
        ("Back office", f"{base}/admin/"),
        ("Metrics", f"{base}/metrics"),
    ]
    lines = [f"Open Wallet is running ({mode}). Ctrl-C stops it.", ""]
    lines += [f"{name:<22}{address}" for name, address in rows]
    if mode != PRODUCTION:
        lines += ["", f"{'Demo logins':<22}password and client secret: {environment['DEMO_PASSWORD']}"]
        lines += [f"{login:<22}{who}" for login, who in DEMO_LOGINS]
    width = max(len(line) for line in lines)
    framed = [f"│ {line:<{width}} │" for line in lines]
    edge = "─" * (width + 2)
    return "\n".join([f"┌{edge}┐", *framed, f"└{edge}┘"])
