"""Open Wallet itself on servers that a drill kills: migrated, with customers, served by gunicorn."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.application import web
from deploy.local.data_directory import DataDirectory
from deploy.local.environment import application_environment
from deploy.local.ports import free_port
from tests.drills.databases import ROOT, Server, database_url
from tests.workers.installation import Installation

KEPT_VARIABLES = ("HOME", "LANG", "PATH", "TMPDIR")
UNLIMITED = {f"RATE_LIMIT_{name}": "off" for name in ("GLOBAL", "USER", "PAYMENT", "SERVICE")}


def environment_on(servers: Sequence[Server], *, folder: Path, port: int = 0) -> dict[str, str]:
    """Return what the application runs with on these servers, of which one takes writes at a time."""
    data = DataDirectory(folder)
    data.make_folders()
    given = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | {
        "PORT": str(port or free_port()),
        "WEB_WORKERS": "2",
        "WEB_THREADS": "4",
        "LOG_LEVEL": "ERROR",
        **UNLIMITED,
    }
    services = {
        "DATABASE_URL": database_url(servers),
        "DATABASE_OWNER_URL": database_url(servers, owner=True),
    }
    return application_environment(given=given, services=services, data=data)


def manage(environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run manage.py to its end."""
    alone = {name: value for name, value in environment.items() if "PROMETHEUS" not in name}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True)


def prepare(environment: Mapping[str, str]) -> None:
    """Migrate. Raises RuntimeError where that fails."""
    prepared = manage(environment, "prepare", "--verbosity=0")
    if prepared.returncode != 0:
        raise RuntimeError(f"The database can't be prepared:\n{prepared.stderr[-2000:]}")


def books_balance(environment: Mapping[str, str]) -> bool:
    """Whether `check_books` proves the books."""
    return manage(environment, "check_books").returncode == 0


@contextmanager
def served(environment: Mapping[str, str], *, folder: Path) -> Iterator[int]:
    """Serve the API; gives the port."""
    port = int(environment["PORT"])
    logs = folder / "log"
    logs.mkdir(exist_ok=True)
    program = web(python=Path(sys.executable), environment=environment)
    running = Installation({program.name: program}, port=port, logs=logs)
    try:
        running.start()
        yield port
    finally:
        running.stop()
