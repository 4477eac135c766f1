"""`python -m tests.load LOCUST-PYTHON`: start everything, load it with journeys, prove the books, write the report.

LOAD_USERS (40) people for LOAD_SECONDS (60), counted from the moment when the first one comes.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import redis
import requests

from tests.benchmarks.machine import described
from tests.journeys.running_stack import KEPT_VARIABLES, ROOT, Stack, running_stack

FIGURES = ROOT / "docs" / "benchmarks" / "load.json"
PAGE = ROOT / "docs" / "load.md"
PASSWORD = "correct horse battery staple"
COLUMNS = ("calls", "failed", "rate", "p50_ms", "p95_ms", "p99_ms", "longest_ms")
HEAD = """# The load test

`make load` starts everything as `make run` does, lets people come and go about their business over HTTP for a minute (locust,
`tests/load/journeys.py`), proves the books, and writes this page. `LOAD_USERS` and `LOAD_SECONDS` change its size. Everybody has
registered and logged in before; they open a wallet, save a card and fund it, then read, pay, transfer, hold, capture, ask for
refunds and renew their session, with a pause of 0.2 to 1 s between two calls; one call in twenty that moves money is sent twice
under its key, and both answers have to be the same bytes. Staff look on.

The load runs on the same machine as what it loads: its figures say that nothing breaks and where time goes, not what a server
carries. What a transfer costs, and what that makes possible, stands in [scaling.md](scaling.md).

"""


def main(locust: str) -> int:
    """Run it; the exit code tells of any call that failed and of books that don't balance."""
    users = int(os.environ.get("LOAD_USERS") or 40)
    seconds = int(os.environ.get("LOAD_SECONDS") or 60)
    with (
        tempfile.TemporaryDirectory(prefix="open-wallet-load-") as folder,
        running_stack(Path(folder)) as stack,
    ):
        services = json.loads((Path(folder) / "data" / "running.json").read_text())
        machine, waiting = _machine(services), os.getloadavg()[0]
        found = _loaded(locust, stack, Path(folder) / "report.json", users=users, seconds=seconds)
        books = _books(Path(folder) / "data")
    kept = {
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        # How busy the machine is with whatever else it does: the minute's mean of what runs or waits for a core.
        "waiting": waiting,
        "users": users,
        "seconds": seconds,
        **found,
        "books": books,
    }
    FIGURES.write_text(json.dumps(kept, indent=2) + "\n")
    PAGE.write_text(HEAD + written(kept))
    print(written(kept))
    return 1 if found["errors"] or found["all"]["failed"] or "balance" not in books else 0


def _accounts(stack: Stack, users: int) -> list[dict[str, str]]:
    """Register people and log them in: hashing passwords takes longer than all that a customer does in a minute."""

    def account(number: int) -> dict[str, str]:
        login = {"email": f"load-{number}@example.com", "password": PASSWORD}
        for path in ("register", "token"):
            answer = requests.post(f"{stack.url}/api/v1/auth/{path}", json=login, timeout=120)
            answer.raise_for_status()
        pair: dict[str, str] = answer.json()
        return pair

    with ThreadPoolExecutor(2) as registering:
        return list(registering.map(account, range(users)))


def _loaded(locust: str, stack: Stack, report: Path, *, users: int, seconds: int) -> dict[str, Any]:
    accounts = report.with_name("accounts.json")
    accounts.write_text(json.dumps(_accounts(stack, users)))
    command = [
        *(locust, "-m", "locust", "--locustfile", str(Path(__file__).with_name("journeys.py"))),
        *("--headless", "--only-summary", "--host", stack.url, "--loglevel", "WARNING"),
        *("--users", str(users), "--spawn-rate", str(max(1, users // 10)), "--run-time", f"{seconds}s"),
        *("--stop-timeout", "10", "--exit-code-on-error", "0"),
    ]
    given = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environment = {
        **given,
        "LOAD_STAFF_PASSWORD": stack.password,
        "LOAD_REPORT": str(report),
        "LOAD_ACCOUNTS": str(accounts),
    }
    ended = subprocess.run(command, env=environment, cwd=report.parent, capture_output=True, text=True)
    if not report.exists():
        raise SystemExit(f"locust didn't run: {ended.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def _books(data: Path) -> str:
    """Run check_books beside what is running; its last line."""
    given = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    checked = subprocess.run(
        [sys.executable, "-m", "deploy.local", "manage", "check_books"],
        cwd=ROOT,
        env={**given, "OPEN_WALLET_DATA": str(data)},
        capture_output=True,
        text=True,
    )
    said = (checked.stdout + checked.stderr).strip().splitlines()
    return said[-1] if checked.returncode == 0 and said else f"check_books failed: {said[-1:]}"


def _machine(services: dict[str, str]) -> dict[str, Any]:
    with psycopg.connect(services["DATABASE_URL"]) as connection:
        version = str(connection.info.parameter_status("server_version"))
    store = "neither Valkey nor Redis"
    if services.get("REDIS_URL"):
        with redis.Redis.from_url(services["REDIS_URL"]) as client:
            about = client.info("server")
        store = (
            f"Valkey {about['valkey_version']}"
            if "valkey_version" in about
            else f"Redis {about['redis_version']}"
        )
    return described(postgresql=version, key_value_store=store)


def written(kept: dict[str, Any]) -> str:
    """Write the figures as a page has them."""
    machine, whole = kept["machine"], kept["all"]
    where = (
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, Python {machine['python']},"
        f" PostgreSQL {machine['postgresql']}, with the load"
        f" beside it, on a machine with a load of {kept['waiting']:.0f} before; {kept['ended_at'][:10]}"
    )
    lines = [
        (
            f"{kept['users']} people for {kept['seconds']} s: **{whole['calls']:,} calls, {whole['failed']} failed**,"
            f" {whole['rate']:.0f} a second; then: {kept['books']} ({where})"
        ),
        "",
        "| call | calls | failed | a second | p50 ms | p95 ms | p99 ms | longest ms |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
        *(
            f"| `{name}` | " + " | ".join(f"{row[column]:,}" for column in COLUMNS) + " |"
            for name, row in sorted(kept["calls"].items())
        ),
        f"| **all** | {' | '.join(f'{whole[column]:,}' for column in COLUMNS)} |",
        *(["", *(f"- {error}" for error in kept["errors"])] if kept["errors"] else []),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
