"""The comparison: pgbench, our own application and the baseline in turn, several rounds of each."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from tests.benchmarks import report
from tests.benchmarks.cpu import parent_of
from tests.benchmarks.http_requests import own_requests, usual_requests
from tests.benchmarks.machine import described
from tests.benchmarks.measurements import Measurement, Services, over_http, with_pgbench
from tests.benchmarks.seeds import CURRENCIES, FIRST_NUMBER, seed
from tests.benchmarks.servers import ROOT, Server, free_port, served
from tests.benchmarks.transfer_steps import SCRIPT, RecordedTransfer, record_transfer
from transactions.integrity import check_books

CUSTOMERS = 500
# Each of pgbench's clients has wallets of its own, in each round fresh ones: about as many as HTTP has in all.
PAIRS_OF_EACH_CLIENT = 124
PROTOCOLS = {report.PGBENCH: "simple", report.PREPARED: "prepared"}
WARM_UP_S = 1.0
LATEST = ROOT / "docs" / "benchmarks" / "latest.json"


def write_script() -> int:
    """Write the transfer's pgbench script anew."""
    with psycopg.connect(_owner_url()) as connection:
        seed(connection, first=0, last=1)
    SCRIPT.write_text(record_transfer(customer=0).script)
    print(f"{SCRIPT.relative_to(ROOT)} is written.")
    return 0


def measure(*, port: int) -> int:
    """Fill the database, measure in rounds, print and keep the figures; the exit code tells if the book balances."""
    seconds = float(os.environ.get("BENCH_SECONDS") or 5)
    rounds = int(os.environ.get("BENCH_ROUNDS") or 3)
    connections = int(os.environ.get("BENCH_CONNECTIONS") or 8)
    # Two wallets for each pair, as many for each customer as there are currencies; the first round warms up.
    customers_of_round = connections * PAIRS_OF_EACH_CLIENT * 2 // len(CURRENCIES)
    to_record = CUSTOMERS + (rounds + 1) * len(PROTOCOLS) * customers_of_round
    with psycopg.connect(_owner_url()) as connection:
        seed(connection, first=0, last=to_record + 1)
    recorded = record_transfer(customer=to_record)
    if recorded.script != SCRIPT.read_text():
        raise SystemExit(
            f"A transfer's SQL is no longer that of {SCRIPT.name}: write it anew with --write-script and look at what changed."
        )
    with psycopg.connect(_owner_url(), autocommit=True) as connection, ExitStack() as running:
        connection.execute("VACUUM ANALYZE")
        version = str(connection.info.parameter_status("server_version"))
        store, store_version = _store()
        services = Services(postgresql=parent_of(connection.info.backend_pid), store=store)
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        usual, (usual_transfers, usual_reads) = running.enter_context(_usual_drf(connection, folder))
        transfers, reads = own_requests(port=port, customers=CUSTOMERS)
        own = running.enter_context(
            served(
                "config.wsgi:application",
                port=port,
                environment={"PROMETHEUS_MULTIPROC_DIR": str(folder), "LOG_LEVEL": "INFO"},
                log=folder / "application.log",
            )
        )
        ask = partial(over_http, connections=connections, services=services)
        taken: dict[str, list[Measurement]] = {}
        for place in range(rounds + 1):
            lasting = seconds if place else WARM_UP_S
            found = {}
            for run, (name, protocol) in enumerate(PROTOCOLS.items(), place * len(PROTOCOLS)):
                first_wallet = (CUSTOMERS + run * customers_of_round) * len(CURRENCIES)
                found[name] = _pgbench(recorded, protocol, run, first_wallet, connections, lasting, services)
            found |= {
                report.TRANSFER: ask(own, requests=transfers, expected_status="201", seconds=lasting),
                report.USUAL_TRANSFER: ask(
                    usual, requests=usual_transfers, expected_status="201", seconds=lasting
                ),
                report.READ: ask(own, requests=reads, expected_status="200", seconds=lasting),
                report.USUAL_READ: ask(usual, requests=usual_reads, expected_status="200", seconds=lasting),
            }
            if place:
                print(f"round {place} of {rounds} is done", file=sys.stderr)
                for name, measurement in found.items():
                    taken.setdefault(name, []).append(measurement)
    result = report.keep(
        LATEST,
        machine=described(postgresql=version, key_value_store=store_version),
        settings={
            "seconds": seconds,
            "rounds": rounds,
            "connections": connections,
            "round_trips": recorded.round_trips,
        },
        taken=taken,
    )
    print(report.printed(result))
    return _prove_the_books()


def _pgbench(
    recorded: RecordedTransfer,
    protocol: str,
    run: int,
    first_wallet: int,
    connections: int,
    seconds: float,
    services: Services,
) -> Measurement:
    return with_pgbench(
        protocol=protocol,
        database_url=os.environ["DATABASE_URL"],
        constants=recorded.constants,
        variables={
            "pairs": PAIRS_OF_EACH_CLIENT,
            "first": FIRST_NUMBER + first_wallet,
            "round": run,
            "step": -1,
        },
        connections=connections,
        seconds=seconds,
        services=services,
    )


@contextmanager
def _usual_drf(
    owner: psycopg.Connection, folder: Path
) -> Iterator[tuple[Server, tuple[list[str], list[str]]]]:
    """Serve the baseline from a database of its own; gives it with its requests, transfers and reads."""
    name = f"usual_drf_{secrets.token_hex(4)}"
    url = urlunsplit(urlsplit(_owner_url())._replace(path=f"/{name}"))
    environment = {
        "USUAL_DRF_DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.usual_drf.settings",
    }
    owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        prepared = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.usual_drf.prepare", str(CUSTOMERS)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            check=True,
        )
        with psycopg.connect(url, autocommit=True) as own:
            own.execute("VACUUM ANALYZE")
        port = free_port()
        requests = usual_requests(port=port, customers=json.loads(prepared.stdout))
        with served(
            "tests.benchmarks.usual_drf.wsgi:application",
            port=port,
            environment=environment,
            log=folder / "usual_drf.log",
        ) as server:
            yield server, requests
    finally:
        owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _store() -> tuple[list[int], str]:
    """Find the process of Valkey or Redis, where it runs on this machine, and its version."""
    if not os.environ.get("REDIS_URL"):
        return [], "neither Valkey nor Redis"
    about = redis.Redis.from_url(os.environ["REDIS_URL"]).info("server")
    pid = int(about["process_id"])
    is_valkey = "valkey_version" in about
    version = f"Valkey {about['valkey_version']}" if is_valkey else f"Redis {about['redis_version']}"
    return ([pid] if Path(f"/proc/{pid}").exists() else []), version


def _prove_the_books() -> int:
    breaches = [breach for _proof, found in check_books() for breach in found]
    for breach in breaches:
        print(f"{breach.proof}: {breach.row}", file=sys.stderr)
    print("The book does NOT balance." if breaches else "The book balances.")
    return 1 if breaches else 0


def _owner_url() -> str:
    return os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]
