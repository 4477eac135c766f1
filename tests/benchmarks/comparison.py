"""The comparison: pgbench, our own application and the baseline in turn, several rounds of each."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from tests.benchmarks import report
from tests.benchmarks.cpu import parent_of
from tests.benchmarks.growth import LEVELS, LONG_HISTORY, SHORT_HISTORY, Book, walk_history
from tests.benchmarks.http_requests import batch_requests, own_requests, requests_into_one, usual_requests
from tests.benchmarks.machine import described
from tests.benchmarks.measurements import (
    Measurement,
    Services,
    in_process,
    over_http,
    pgbench_environment,
    run_pgbench,
    with_pgbench,
)
from tests.benchmarks.numbered import CURRENCIES, FIRST_NUMBER
from tests.benchmarks.seeds import seed
from tests.benchmarks.servers import ROOT, Server, free_port, served
from tests.benchmarks.transfer_steps import SCRIPT, RecordedTransfer, record_transfer
from transactions.integrity import check_books

CUSTOMERS = 500
# Each of pgbench's clients has wallets of its own, in each round fresh ones: about as many as HTTP has in all.
PAIRS_OF_EACH_CLIENT = 124
PROTOCOLS = {report.PGBENCH: "simple", report.PREPARED: "prepared"}
WARM_UP_S = 1.0
BATCHES = {report.BATCH: 1_000, report.LARGE_BATCH: 10_000}
BATCHES_AT_ONCE = 2
CROWD = 64
TPC_B_SCALE = 10
LATEST = ROOT / "docs" / "benchmarks" / "latest.json"


def write_script() -> int:
    """Write the transfer's pgbench script anew."""
    with psycopg.connect(owner_url()) as connection:
        seed(connection, first=0, last=1)
    SCRIPT.write_text(record_transfer(customer=0).script)
    print(f"{SCRIPT.relative_to(ROOT)} is written.")
    return 0


def measure(*, port: int) -> int:
    """Fill the database, measure in rounds, print and keep the figures; the exit code tells if the book balances."""
    seconds = float(os.environ.get("BENCH_SECONDS") or 5)
    rounds = int(os.environ.get("BENCH_ROUNDS") or 3)
    connections = int(os.environ.get("BENCH_CONNECTIONS") or 8)
    most_lines = int(os.environ.get("BENCH_LINES") or LEVELS[-1])
    # Two wallets for each pair, as many for each customer as there are currencies; the first round warms up.
    customers_of_round = connections * PAIRS_OF_EACH_CLIENT * 2 // len(CURRENCIES)
    to_record = CUSTOMERS + (rounds + 1) * len(PROTOCOLS) * customers_of_round
    with psycopg.connect(owner_url()) as connection:
        seed(connection, first=0, last=to_record + 1)
    recorded = record_transfer(customer=to_record)
    if recorded.script != SCRIPT.read_text():
        raise SystemExit(
            f"A transfer's SQL is no longer that of {SCRIPT.name}: write it anew with --write-script and look at what changed."
        )
    with psycopg.connect(owner_url(), autocommit=True) as connection, ExitStack() as running:
        connection.execute("VACUUM ANALYZE")
        version = str(connection.info.parameter_status("server_version"))
        store, store_version = store_server()
        services = Services(postgresql=parent_of(connection.info.backend_pid), store=store)
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        tpc_b = running.enter_context(_tpc_b(connection))
        usual_environment, usual, (usual_transfers, usual_reads) = running.enter_context(
            _usual_drf(connection, folder)
        )
        transfers, reads = own_requests(port=port, customers=CUSTOMERS)
        into_one, payments = requests_into_one(port=port, customers=CUSTOMERS)
        batches = {
            size: batch_requests(port=port, customers=CUSTOMERS, size=size) for size in BATCHES.values()
        }
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
            tell = partial(ask, own, seconds=lasting)
            tell_usual = partial(ask, usual, seconds=lasting)
            found |= {
                report.TRANSFER: tell(requests=transfers, expected_status="201"),
                report.USUAL_TRANSFER: tell_usual(requests=usual_transfers, expected_status="201"),
                report.READ: tell(requests=reads, expected_status="200"),
                report.USUAL_READ: tell_usual(requests=usual_reads, expected_status="200"),
                report.HOT: tell(requests=into_one, expected_status="201"),
                report.HOT_CROWD: tell(requests=into_one, expected_status="201", connections=CROWD),
                report.SYSTEM: tell(requests=payments, expected_status="201"),
                report.TPC_B: run_pgbench(
                    database_url=tpc_b, connections=connections, seconds=lasting, services=services
                ),
            }
            for name, size in BATCHES.items():
                found[name] = tell(
                    requests=batches[size], expected_status="200", connections=BATCHES_AT_ONCE, effects=size
                )
            for name, whose, environment in (
                (report.IN_PROCESS, "own", {}),
                (report.USUAL_IN_PROCESS, "usual", usual_environment),
            ):
                found[name] = in_process(whose, environment=environment, seconds=lasting, services=services)
            if place:
                print(f"round {place} of {rounds} is done", file=sys.stderr)
                for name, measurement in found.items():
                    taken.setdefault(name, []).append(measurement)
        crowd_p99_ms = median(one.p99_ms for one in taken[report.HOT_CROWD])
        figures = [
            report.Figure("into one wallet, 64 clients, p99 in ms", crowd_p99_ms, at_most=150.0),
            report.Figure("statements between BEGIN and COMMIT", recorded.round_trips - 2, at_most=4.0),
        ]
        growth, of_history = _grown(
            partial(ask, own, requests=transfers, expected_status="201", seconds=seconds),
            port=port,
            first_customer=to_record + 2,
            most_lines=most_lines,
        )
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
        figures=[*figures, *of_history],
        growth=growth,
    )
    print(report.printed(result))
    return prove_the_books()


def _grown(
    transfer: Callable[[], Measurement], *, port: int, first_customer: int, most_lines: int
) -> tuple[list[dict[str, Any]], list[report.Figure]]:
    """Grow the book step by step: transfers at each size, and pages of a long history at the last."""
    with psycopg.connect(owner_url()) as connection:
        book = Book(connection, first_customer)
        short = book.add_pairs(1, transfers_each=SHORT_HISTORY)
        of_short = walk_history(port=port, wallet=short)
        long = book.add_pairs(1, transfers_each=LONG_HISTORY)
        levels = []
        for lines in (level for level in LEVELS if level <= most_lines):
            book.grow_to(max(lines, book.lines))
            found = transfer()
            levels.append(
                {
                    "lines": book.lines,
                    "transfers": round(found.rate, 1),
                    "application_cpu_ms": round(found.application_cpu_ms, 3),
                    "postgresql_cpu_ms": round(found.postgresql_cpu_ms, 3),
                }
            )
            print(f"{book.lines:,} lines are there", file=sys.stderr)
        of_long = walk_history(port=port, wallet=long)
    return levels, [
        report.Figure(
            "first page of 100,000 lines / page of a small book",
            of_long.first_ms / of_short.first_ms,
            at_most=2.0,
        ),
        report.Figure(
            "deepest page of 100,000 lines / page of a small book",
            of_long.deepest_ms / of_short.first_ms,
            at_most=2.0,
        ),
    ]


@contextmanager
def _tpc_b(owner: psycopg.Connection) -> Iterator[str]:
    """Make a database of its own for pgbench's own script; gives its URL."""
    name = f"tpc_b_{secrets.token_hex(4)}"
    url = urlunsplit(urlsplit(owner_url())._replace(path=f"/{name}"))
    owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        subprocess.run(
            ["pgbench", "--initialize", "--quiet", f"--scale={TPC_B_SCALE}"],
            env=pgbench_environment(url),
            capture_output=True,
            check=True,
        )
        yield url
    finally:
        owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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
) -> Iterator[tuple[dict[str, str], Server, tuple[list[str], list[str]]]]:
    """Serve the baseline from a database of its own; gives its environment, server, and requests."""
    name = f"usual_drf_{secrets.token_hex(4)}"
    url = urlunsplit(urlsplit(owner_url())._replace(path=f"/{name}"))
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
            yield environment, server, requests
    finally:
        owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def store_server() -> tuple[list[int], str]:
    """Find the process of Valkey or Redis, where it runs on this machine, and its version."""
    if not os.environ.get("REDIS_URL"):
        return [], "neither Valkey nor Redis"
    about = redis.Redis.from_url(os.environ["REDIS_URL"]).info("server")
    pid = int(about["process_id"])
    is_valkey = "valkey_version" in about
    version = f"Valkey {about['valkey_version']}" if is_valkey else f"Redis {about['redis_version']}"
    return ([pid] if Path(f"/proc/{pid}").exists() else []), version


def prove_the_books() -> int:
    """Run every proof, print what breaks one, and give the exit code."""
    breaches = [breach for _proof, found in check_books() for breach in found]
    for breach in breaches:
        print(f"{breach.proof}: {breach.row}", file=sys.stderr)
    print("The book does NOT balance." if breaches else "The book balances.")
    return 1 if breaches else 0


def owner_url() -> str:
    """Name the database as its owner."""
    return os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]
