"""`python -m deploy.rolling`, in the environment that `make drill-rolling` prepares."""

import argparse
import http.client
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.console import say
from deploy.local.ports import free_port
from deploy.local.refusals import CannotStart
from deploy.rolling.instances import ROOT, Instance
from deploy.rolling.load import Customer, Load, Tally
from deploy.rolling.proxy import NAME, Proxy, start_proxy

CUSTOMERS = 8
SHARE = 0.8
"""Of the rate that was just found."""


def main() -> int:
    """Run the drill; 1 where a call failed, or the proxy isn't what it has to be."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--restarts", type=int, default=5, help="how often both instances are replaced")
    asked.add_argument("--calls", type=int, default=10_000, help="how many calls there are at least")
    asked.add_argument("--calibrate-s", type=float, default=8.0)
    wanted = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="rolling-") as name:
        try:
            return drill(
                Path(name), restarts=wanted.restarts, calls=wanted.calls, calibrate_s=wanted.calibrate_s
            )
        except CannotStart as refusal:
            say(str(refusal))
            return 1


def drill(folder: Path, *, restarts: int, calls: int, calibrate_s: float) -> int:
    """Replace both instances `restarts` times under load, migrating in between; tell what became of the calls."""
    port = free_port()
    environment = {
        **os.environ,
        "PUBLIC_URL": f"https://{NAME}:{port}",
        "TRUSTED_PROXIES": "1",
        "WEB_WORKERS": "1",
        **{f"RATE_LIMIT_{kind}": "off" for kind in ("GLOBAL", "USER", "PAYMENT", "SERVICE", "LOGIN")},
    }
    _prepare(environment)
    instances = [Instance(place, folder=folder, environment=environment) for place in ("a", "b")]
    proxy: Proxy | None = None
    try:
        for instance in instances:
            instance.replace()
        links = [instance.link for instance in instances]
        proxy = start_proxy(folder, port=port, links=links, runs_as_root=os.geteuid() == 0)
        faults = _faults(proxy)
        customers = [Customer(number, port=port, context=proxy.context()) for number in range(CUSTOMERS)]
        for place, customer in enumerate(customers):
            customer.pays = customers[place - 1].wallet_id
        rate = _calibrated(customers, seconds=calibrate_s)
        with Load(customers, calls_per_s=SHARE * rate) as load:
            for turn in range(restarts):
                if turn == 0:
                    _prepare(environment)
                for instance in instances:
                    instance.replace()
            while load.tally.calls < calls and not load.tally.failures:
                time.sleep(0.5)
        return _told(load.tally, proxy, rate=rate, replaced=restarts * len(instances), faults=faults)
    finally:
        if proxy is not None:
            proxy.stop()
        for instance in instances:
            instance.stop()


def _prepare(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "prepare"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise CannotStart(f"manage.py prepare failed: {done.stderr[-1000:]}")


def _faults(proxy: Proxy) -> list[str]:
    """Look at what the proxy promises, before clients are let in."""
    found = []
    answers = {path: _answer(proxy, path) for path in ("/health", "/metrics", "/nowhere")}
    if answers["/health"].version != "TLSv1.3":
        found.append(f"A client was given {answers['/health'].version}.")
    if answers["/metrics"].status != http.client.NOT_FOUND:
        found.append("The metrics are served to the outside.")
    without = [
        path for path, answer in answers.items() if not (answer.hsts or "").startswith("max-age=31536000")
    ]
    if without:
        found.append(f"No HSTS with {', '.join(without)}.")
    try:
        older = _answer(proxy, "/health", newest=ssl.TLSVersion.TLSv1_2)
        found.append(f"A client that knows no TLS 1.3 was given {older.version}.")
    except ssl.SSLError:
        pass  # as it should be
    return found


@dataclass(frozen=True)
class _Answer:
    status: int
    version: str | None
    hsts: str | None


def _answer(proxy: Proxy, path: str, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> _Answer:
    connection = http.client.HTTPSConnection(NAME, proxy.port, timeout=10, context=proxy.context(newest))
    try:
        connection.connect()
        version = connection.sock.version()  # type: ignore[attr-defined]  # a TLS socket
        connection.request("GET", path)
        response = connection.getresponse()
        return _Answer(response.status, version, response.getheader("Strict-Transport-Security"))
    finally:
        connection.close()


def _calibrated(customers: Sequence[Customer], *, seconds: float) -> float:
    """Find the rate of calls that these two instances answer, in calls a second."""
    with Load(customers, calls_per_s=None) as load:
        time.sleep(seconds)
    if load.tally.failures:
        raise CannotStart(f"A call failed before anything was replaced: {load.tally.failures[0]}")
    return load.tally.calls / seconds


def _told(tally: Tally, proxy: Proxy, *, rate: float, replaced: int, faults: Sequence[str]) -> int:
    shares = proxy.served_by()
    passed_over = sum(count for instance, count in shares.items() if "," in instance)
    each = ", ".join(
        f"{count} by {instance}" for instance, count in sorted(shares.items()) if "," not in instance
    )
    say(
        f"Rolling update: {tally.calls:,} calls at {SHARE * rate:.0f}/s (80 % of {rate:.0f}/s), {replaced} instances"
        f" replaced, one migration run: {len(tally.failures)} failed; p50 {tally.percentile_ms(0.5)} ms,"
        f" p99 {tally.percentile_ms(0.99)} ms, longest {tally.percentile_ms(1)} ms."
    )
    say(f"Round robin: {each}; {passed_over} were asked of the other one.")
    for line in [*tally.failures[:10], *faults, *proxy.complaints()[:10]]:
        say(line)
    return 1 if tally.failures or faults or proxy.complaints() else 0


if __name__ == "__main__":
    sys.exit(main())
