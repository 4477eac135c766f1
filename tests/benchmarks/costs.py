"""What a transfer costs: processor time, round trips, bytes of WAL and bytes on disk, by 10,000 of them over HTTP.

`make bench ARGS=--costs`. What is done behind it (its events published, its lines sealed) is measured apart.
COSTS_TRANSFERS (10,000) and BENCH_CONNECTIONS (8) change the size.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from events import relay
from tests.benchmarks.comparison import CUSTOMERS, owner_url, prove_the_books, store_server
from tests.benchmarks.cpu import cpu_s, parent_of
from tests.benchmarks.http_requests import own_requests
from tests.benchmarks.machine import described
from tests.benchmarks.measurements import Measurement, Services, over_http
from tests.benchmarks.seeds import seed
from tests.benchmarks.servers import ROOT, Server, served
from tests.benchmarks.transfer_steps import record_transfer
from transactions import roll_ups, seals

KEPT = ROOT / "docs" / "benchmarks" / "costs.json"
WARM_UP_S = 3.0
SLICE_S = 5.0
WRITTEN_DOWN_AFTER_S = 2.0  # the log of calls is written by a thread, the statistics of WAL by each session

# The partitions of a table count as one.
_SIZES = r"""
SELECT regexp_replace(c.relname, '_\d{4}_\d{2}$', ''), sum(pg_table_size(c.oid))::bigint,
       sum(pg_indexes_size(c.oid))::bigint
FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1
"""
_WAL = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint, (SELECT wal_fpi FROM pg_stat_wal)"


@dataclass
class Spent:
    """What PostgreSQL spent on some work: its time in seconds, WAL, and by table the bytes of rows and of indexes."""

    cpu_s: float = 0.0
    wal_bytes: int = 0
    whole_pages_in_wal: int = 0
    kept_bytes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def for_each(self, transfers: int) -> dict[str, Any]:
        """Tell it for one transfer; tables that grew by less than a byte for each aren't told."""
        tables = {
            table: {"rows": round(rows / transfers), "indexes": round(indexes / transfers)}
            for table, (rows, indexes) in sorted(self.kept_bytes.items())
            if abs(rows + indexes) >= transfers
        }
        return {
            "postgresql_cpu_ms": round(self.cpu_s * 1000 / transfers, 3),
            "wal_bytes": round(self.wal_bytes / transfers),
            "whole_pages_in_wal": round(self.whole_pages_in_wal / transfers, 3),
            "kept_bytes": sum(one["rows"] + one["indexes"] for one in tables.values()),
            "tables": tables,
        }


@dataclass
class Meter:
    """Reads what the server of `connection`, the owner's, has spent."""

    connection: psycopg.Connection

    @contextmanager
    def spent(self) -> Iterator[Spent]:
        """Measure what is done inside; tables are vacuumed at both ends, so that only what they keep is counted."""
        found = Spent()
        before = self._sizes()
        began_wal, began_pages, began_s = self._written()
        yield found
        time.sleep(WRITTEN_DOWN_AFTER_S)
        ended_wal, ended_pages, ended_s = self._written()
        after = self._sizes()
        found.cpu_s, found.wal_bytes = ended_s - began_s, ended_wal - began_wal
        found.whole_pages_in_wal = ended_pages - began_pages
        found.kept_bytes = {
            table: (rows - before.get(table, (0, 0))[0], indexes - before.get(table, (0, 0))[1])
            for table, (rows, indexes) in after.items()
        }

    def _sizes(self) -> dict[str, tuple[int, int]]:
        self.connection.execute("VACUUM")
        rows = self.connection.execute(_SIZES).fetchall()
        return {table: (heap, indexes) for table, heap, indexes in rows}

    def _written(self) -> tuple[int, int, float]:
        (row,) = self.connection.execute(_WAL).fetchall()
        return row[0], row[1], cpu_s([parent_of(self.connection.info.backend_pid)])


def measure(*, port: int) -> int:
    """Fill the database, transfer, do what is done behind, print and keep the costs of one transfer."""
    wanted = int(os.environ.get("COSTS_TRANSFERS") or 10_000)
    connections = int(os.environ.get("BENCH_CONNECTIONS") or 8)
    with psycopg.connect(owner_url()) as connection:
        seed(connection, first=0, last=CUSTOMERS + 1)
    round_trips = record_transfer(customer=CUSTOMERS).round_trips
    _work_behind()
    requests, _reads = own_requests(port=port, customers=CUSTOMERS)
    with (
        tempfile.TemporaryDirectory() as folder,
        psycopg.connect(owner_url(), autocommit=True) as connection,
        served(
            "config.wsgi:application",
            port=port,
            environment={"PROMETHEUS_MULTIPROC_DIR": folder, "LOG_LEVEL": "INFO"},
            log=Path(folder) / "application.log",
        ) as server,
    ):
        store, store_version = store_server()
        ask = partial(
            over_http,
            server,
            requests=requests,
            expected_status="201",
            connections=connections,
            services=Services(postgresql=parent_of(connection.info.backend_pid), store=store),
        )
        ask(seconds=WARM_UP_S)  # plans, caches, connections
        meter = Meter(connection)
        logged_before = _size_of_log(server)
        with meter.spent() as on_the_way:
            taken = _until(wanted, partial(ask, seconds=SLICE_S))
        transfers = sum(one.operations for one in taken)
        logged = _size_of_log(server) - logged_before
        began_s = time.process_time()
        with meter.spent() as behind:
            _work_behind()
        worked_s = time.process_time() - began_s
        version = str(connection.info.parameter_status("server_version"))
    kept = {
        "machine": described(postgresql=version, key_value_store=store_version),
        "transfers": transfers,
        "connections": connections,
        "rate": round(transfers / sum(one.operations / one.rate for one in taken), 1),
        "round_trips": round_trips,
        "on_the_way": {
            "application_cpu_ms": _mean(taken, lambda one: one.application_cpu_ms),
            "store_cpu_ms": _mean(taken, lambda one: one.store_cpu_ms),
            "log_bytes": round(logged / transfers),
            **on_the_way.for_each(transfers),
        },
        "behind": {
            "application_cpu_ms": round(worked_s * 1000 / transfers, 3),
            **behind.for_each(transfers),
        },
    }
    KEPT.write_text(json.dumps(kept, indent=2) + "\n")
    print(json.dumps(kept, indent=2))
    return prove_the_books()


def _until(wanted: int, transfer: Callable[[], Measurement]) -> list[Measurement]:
    taken: list[Measurement] = []
    while sum(one.operations for one in taken) < wanted:
        taken.append(transfer())
    return taken


def _work_behind() -> None:
    """Do what the worker does about transfers: publish, sum up, seal."""
    relay.publish_waiting(budget_s=float("inf"))
    while roll_ups.roll_up():
        pass
    seals.seal_recent()


def _mean(taken: list[Measurement], figure: Callable[[Measurement], float]) -> float:
    whole = sum(figure(one) * one.operations for one in taken)
    return round(whole / sum(one.operations for one in taken), 3)


def _size_of_log(server: Server) -> int:
    return server.log.stat().st_size
