"""One measurement each: how many a second, how long each took, and the processor time behind one operation."""

import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.benchmarks.cpu import cpu_s
from tests.benchmarks.servers import ROOT, Server
from tests.benchmarks.transfer_steps import SCRIPT

LOGGED_SHARE = 0.2


@dataclass(frozen=True)
class Measurement:
    """Rates by the second, times in milliseconds; the CPU times are those behind one operation."""

    operations: int
    rate: float
    p50_ms: float
    p99_ms: float
    application_cpu_ms: float
    postgresql_cpu_ms: float
    store_cpu_ms: float

    @property
    def cpu_ms(self) -> float:
        """What the application and PostgreSQL need together."""
        return self.application_cpu_ms + self.postgresql_cpu_ms


@dataclass(frozen=True)
class Services:
    """The processes whose time is counted: PostgreSQL's first one and, where it runs on this machine, Valkey's."""

    postgresql: int
    store: Collection[int]


class _Meter:
    """The processor time of the application, PostgreSQL and Valkey since it was made."""

    def __init__(self, services: Services, application: Collection[int]) -> None:
        self._roots = (application, [services.postgresql], services.store)
        self._before = [cpu_s(roots) for roots in self._roots]

    def for_each(self, operations: int) -> tuple[float, float, float]:
        """Tell the three in milliseconds for one operation."""
        used = [cpu_s(roots) - before for roots, before in zip(self._roots, self._before, strict=True)]
        application, postgresql, store = (seconds * 1000 / operations for seconds in used)
        return application, postgresql, store


def over_http(
    server: Server,
    *,
    requests: list[str],
    expected_status: str,
    connections: int,
    seconds: float,
    services: Services,
    effects: int = 1,
) -> Measurement:
    """Send requests to a server for that long. Any answer but the expected one ends the benchmark.

    `effects` is how many operations one request stands for; times stay those of a request.
    """
    plan = {"port": server.port, "requests": requests, "connections": connections, "seconds": seconds}
    meter = _Meter(services, [server.pid])
    ended = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"],
        cwd=ROOT,
        input=json.dumps(plan),
        capture_output=True,
        text=True,
    )
    if ended.returncode != 0:
        raise SystemExit(f"The load failed: {ended.stderr}\nThe server's last words:\n{server.last_words()}")
    outcome = json.loads(ended.stdout)
    if set(outcome["statuses"]) != {expected_status}:
        raise SystemExit(
            f"Expected {expected_status}, was answered {outcome['statuses']}.\n{server.last_words()}"
        )
    operations = len(outcome["times_s"]) * effects
    application, postgresql, store = meter.for_each(operations)
    times_ms = sorted(seconds * 1000 for seconds in outcome["times_s"])
    return Measurement(
        operations=operations,
        rate=operations / outcome["lasted_s"],
        p50_ms=quantile(times_ms, 0.50),
        p99_ms=quantile(times_ms, 0.99),
        application_cpu_ms=application,
        postgresql_cpu_ms=postgresql,
        store_cpu_ms=store,
    )


def with_pgbench(
    *,
    protocol: str,
    database_url: str,
    constants: dict[str, str],
    variables: dict[str, int],
    connections: int,
    seconds: float,
    services: Services,
) -> Measurement:
    """Run the transfer's script with pgbench for that long. A failed transaction ends the benchmark.

    `protocol` is pgbench's: `simple`, its default, sends each statement as text with its values in it, `prepared`
    plans it once. pgbench is the application here: its CPU counts as the application's does elsewhere.
    """
    if protocol == "simple":
        constants = {name: "'" + value.replace("'", "''") + "'" for name, value in constants.items()}
    defined = {**constants, **{name: str(value) for name, value in variables.items()}}
    return run_pgbench(
        f"--protocol={protocol}",
        f"--file={SCRIPT}",
        *(f"--define={name}={value}" for name, value in defined.items()),
        database_url=database_url,
        connections=connections,
        seconds=seconds,
        services=services,
    )


def run_pgbench(
    *arguments: str, database_url: str, connections: int, seconds: float, services: Services
) -> Measurement:
    """Run pgbench for that long, with its own script TPC-B or the one that the arguments name."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["pgbench", "--no-vacuum", f"--client={connections}", "--jobs=1"]
        command += [f"--time={max(1, round(seconds))}", *arguments]
        command += ["--log", f"--sampling-rate={LOGGED_SHARE}", f"--log-prefix={folder}/times"]
        meter = _Meter(services, [])
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = subprocess.run(command, env=pgbench_environment(database_url), capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        pgbench_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        processed = re.search(r"transactions actually processed: (\d+)", ended.stdout)
        rate = re.search(r"tps = ([\d.]+)", ended.stdout)
        if ended.returncode != 0 or processed is None or rate is None:
            raise SystemExit(f"pgbench failed: {ended.stderr[-2000:]}")
        _, postgresql, store = meter.for_each(int(processed[1]))
        times_ms = sorted(
            int(line.split()[2]) / 1000
            for path in Path(folder).iterdir()
            for line in path.read_text().splitlines()
        )
    return Measurement(
        operations=int(processed[1]),
        rate=float(rate[1]),
        p50_ms=quantile(times_ms, 0.50),
        p99_ms=quantile(times_ms, 0.99),
        application_cpu_ms=pgbench_s * 1000 / int(processed[1]),
        postgresql_cpu_ms=postgresql,
        store_cpu_ms=store,
    )


def pgbench_environment(database_url: str) -> dict[str, str]:
    """Tell libpq's programs which database to use, by their environment."""
    url = urlsplit(database_url)
    return {
        "PATH": os.environ.get("PATH", ""),
        "PGHOST": url.hostname or "127.0.0.1",
        "PGPORT": str(url.port or 5432),
        "PGUSER": unquote(url.username or ""),
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": url.path.lstrip("/"),
    }


def in_process(whose: str, *, environment: dict[str, str], seconds: float, services: Services) -> Measurement:
    """Transfer in a process without HTTP, by the use case (`own`) or by the ORM (`usual`)."""
    meter = _Meter(services, [])
    ended = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.in_process", whose, str(seconds)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if ended.returncode != 0:
        raise SystemExit(f"Transfers in process failed: {ended.stderr[-2000:]}")
    told = json.loads(ended.stdout)
    operations = round(told["rate"] * seconds)
    _, postgresql, store = meter.for_each(operations)
    return Measurement(
        operations=operations,
        rate=told["rate"],
        p50_ms=1000 / told["rate"],
        p99_ms=0.0,
        application_cpu_ms=told["cpu_ms"],
        postgresql_cpu_ms=postgresql,
        store_cpu_ms=store,
    )


def quantile(ordered: list[float], share: float) -> float:
    """Tell the value that this share of the ordered values doesn't pass."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
