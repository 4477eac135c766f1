"""The fail-over drill: the primary killed under load, its standby promoted, nothing acknowledged lost, nothing doubled.

Before the kill the line between the two is cut, as in the worst of failures. With synchronous replication commits then
wait; the negative control, asynchronous replication, acknowledges what only the lost server has.
"""

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.backup.receiving import APPLICATION_NAME
from deploy.backup.settings import SLOT
from deploy.local.ports import free_port
from deploy.local.postgres import unprivileged
from tests.drills.application import books_balance, environment_on, prepare, served
from tests.drills.comparison import compare
from tests.drills.databases import Archive, Server
from tests.drills.link import Link
from tests.drills.load import HighWaterMark, Load, Payer
from tests.drills.outcome import Outcome
from tests.drills.restore import new_keys, seeded

STANDBY = "standby"
CUT_S = 1.5
LONGEST_OUTAGE_S = 30.0


@dataclass(frozen=True)
class Customers:
    """Who pays, and the environment of the application that they call."""

    payers: list[Payer]
    environment: dict[str, str]


def drill(*, seconds: float) -> int:
    """Fail over once synchronously, then once asynchronously; return the exit code."""
    outcome = Outcome("failover")
    folder = Path(tempfile.mkdtemp(prefix="open-wallet-drill-"))
    servers = [Server(folder, name="first")]
    try:
        servers[0].make()
        servers[0].start()
        servers[0].cluster.prepare()
        # One port for all: tokens name as their issuer where the API is.
        port = free_port()
        environment = environment_on(servers, folder=folder, port=port)
        prepare(environment)
        payers = seeded(environment)
        for is_synchronous in (True, False):
            primary = servers[-1]
            standby, link = copy_of(primary, folder=folder, name=f"copy-{len(servers)}")
            servers.append(standby)
            primary.demand(f"FIRST 1 ({STANDBY})" if is_synchronous else "")
            both = environment_on([primary, standby], folder=folder, port=port)
            customers = Customers(payers, both)
            if not is_synchronous:
                _fail_over(primary, standby, link, customers, outcome, seconds, is_synchronous)
                continue
            archive = Archive(folder / "archive", keys=new_keys(), server=primary, standby=standby)
            try:
                _receive_from_both(archive, primary, standby)
                _fail_over(primary, standby, link, customers, outcome, seconds, is_synchronous)
                _restore_across(archive, standby, folder, outcome)
            finally:
                archive.kill_receiver()
    finally:
        for server in servers:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return outcome.end()


def _receive_from_both(archive: Archive, primary: Server, standby: Server) -> None:
    """Receive the log of whichever is the primary; Patroni keeps the receiver's place on every member."""
    archive.start_receiver()
    standby.ask(f"SELECT pg_create_physical_replication_slot('{SLOT}', true)")
    archive.do("full")


def _restore_across(archive: Archive, promoted: Server, folder: Path, outcome: Outcome) -> None:
    """Prove that the archive goes on over the change of timelines, and holds what both primaries acknowledged."""
    promoted.wait_for_standby(APPLICATION_NAME)
    outcome.tell(archive.do("incremental"))
    archive.kill_receiver()
    restored = Server(folder, name="restored", made_from=promoted)
    archive.do("restore", "--into", str(restored.data))
    try:
        restored.start()
        restored.wait_until_recovered()
        found = compare(restored, HighWaterMark(folder / "acknowledged-synchronous"))
    finally:
        restored.kill()
    outcome.prove(
        f"the receiver followed the fail-over: restored from its archive, {len(found.lost)} of {found.acknowledged} are lost",
        holds=found.is_clean,
    )


def copy_of(primary: Server, *, folder: Path, name: str) -> tuple[Server, Link]:
    """Make and start a streaming standby, which hears of the primary over a line that can be cut."""
    link = Link(to_port=primary.port)
    standby = Server(folder, name=name, made_from=primary)
    command = [str(primary.programs / "pg_basebackup"), f"--pgdata={standby.data}", "--write-recovery-conf"]
    command += [
        "--checkpoint=fast",
        "--wal-method=stream",
        "--create-slot",
        f"--slot={name.replace('-', '_')}",
    ]
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        **primary.libpq(),
        "PGPORT": str(link.port),
        "PGAPPNAME": STANDBY,
    }
    copied = subprocess.run(unprivileged(command), env=environment, capture_output=True, text=True)
    if copied.returncode != 0:
        raise RuntimeError(f"The primary can't be copied: {copied.stderr}")
    standby.start()
    primary.wait_for_standby(STANDBY)
    return standby, link


def _fail_over(
    primary: Server,
    standby: Server,
    link: Link,
    customers: Customers,
    outcome: Outcome,
    seconds: float,
    is_synchronous: bool,
) -> None:
    kind = "synchronous" if is_synchronous else "asynchronous"
    folder = standby.data.parent
    mark = HighWaterMark(folder / f"acknowledged-{kind}")
    with served(customers.environment, folder=folder) as port:
        load = Load(customers.payers, port=port, mark=mark)
        load.start()
        time.sleep(seconds / 2)
        before = len(mark.moments_s)
        link.cut()
        time.sleep(CUT_S)
        killed_s = time.monotonic()
        while_cut = len(mark.moments_s) - before
        primary.kill()
        link.close()
        # What Patroni does once the primary's lease has ended, which takes it up to `ttl` seconds more.
        standby.ask("SELECT pg_promote()")
        promoted_s = time.monotonic() - killed_s
        time.sleep(seconds / 2)
        load.finish()
    outage_s = mark.longest_gap_s(since_s=killed_s)
    found = compare(standby, mark)
    refusals = ", ".join(f"{times} x {what}" for what, times in sorted(mark.refusals.items())) or "none"
    outcome.tell(
        f"{kind}: {mark.asked} transfers asked for, {found.acknowledged} acknowledged, {while_cut} of them while the "
        f"line was cut; tries that had to be repeated: {refusals}"
    )
    outcome.note(f"{kind}_acknowledged", found.acknowledged)
    outcome.note(f"{kind}_lost", len(found.lost))
    if not is_synchronous:
        outcome.prove(
            f"the control is red, as it has to be: asynchronous replication lost {len(found.lost)} of "
            f"{found.acknowledged} acknowledged transfers, those that only the dead server had",
            holds=len(found.lost) > 0,
        )
        return
    outcome.prove(
        f"{found.acknowledged} acknowledged, {len(found.lost)} lost, {len(found.doubled)} doubled",
        holds=found.is_clean and found.acknowledged == mark.asked,
    )
    outcome.prove("check_books proves the promoted books", holds=books_balance(customers.environment))
    outcome.prove(
        f"{outage_s:.1f} s from the kill to the next acknowledgement, {promoted_s:.1f} s of them for the promotion",
        holds=0 < outage_s <= LONGEST_OUTAGE_S,
    )
    outcome.note("outage_s", round(outage_s, 2))
