"""A primary and its hot standby, both real: the embedded PostgreSQL twice, one streaming to the other."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from deploy.local.data_directory import DataDirectory
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import APPLICATION_ROLE, DATABASE, SUPERUSER, Cluster, find_programs, unprivileged
from deploy.local.processes import die_with_parent
from deploy.local.services import POSTGRES_IN_WHEEL

LONGEST_WAIT_S = 30.0


class Server:
    """One PostgreSQL server that is started, killed and started again."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.log = cluster.data.logs / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until clients can log in."""
        program = self.cluster.program()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                program.command,
                env=dict(program.environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(program.orphan_signal),
            )
        wait_until(
            program.is_ready or (lambda: True), what=f"the server of {self.cluster.data.path} to answer"
        )

    def kill(self) -> None:
        """End it without a word, as the loss of its machine would."""
        postmaster = int((self.cluster.data.postgres / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(postmaster, signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """Shut it down where it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._wait()

    def ask(self, statement: str) -> tuple:
        """Run one statement as the superuser; give its first row."""
        with psycopg.connect(
            host=LOOPBACK,
            port=self.cluster.port,
            user=SUPERUSER,
            password=self.cluster.data.secrets()["postgres_password"],
            dbname=DATABASE,
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
        return row or ()

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait(LONGEST_WAIT_S)
            self._process = None


@dataclasses.dataclass
class Pair:
    """The primary, and the standby that follows it."""

    primary: Server
    standby: Server

    def pause_replay(self) -> None:
        """Let the standby lag from now on."""
        self.standby.ask("SELECT pg_wal_replay_pause()")
        wait_until(
            lambda: self.standby.ask("SELECT pg_get_wal_replay_pause_state()") == ("paused",),
            what="the replay to pause",
        )

    def catch_up(self) -> None:
        """Let the standby replay, and wait until it has all that the primary has written."""
        self.standby.ask("SELECT pg_wal_replay_resume()")
        written = self.primary.ask("SELECT pg_current_wal_flush_lsn()::text")[0]
        wait_until(
            lambda: self.standby.ask(f"SELECT pg_last_wal_replay_lsn() >= '{written}'") == (True,),
            what="the standby to catch up",
        )


def make_pair(folder: Path) -> Pair:
    """Start a primary with the roles and an empty database, and a standby made from its base backup."""
    programs = find_programs(
        wheel=next(iter(sorted(Path(sys.prefix).glob(POSTGRES_IN_WHEEL))), None), environment=os.environ
    )
    primary = Server(_cluster(programs, folder / "primary"))
    primary.cluster.make()
    primary.start()
    primary.cluster.prepare()
    # Nothing is acknowledged before it is in the file that is streamed.
    primary.ask(f"ALTER ROLE {APPLICATION_ROLE} SET synchronous_commit = on")
    standby = Server(_cluster(programs, folder / "standby"))
    secret = primary.cluster.data.secrets()["postgres_password"]
    source = f"host={LOOPBACK} port={primary.cluster.port} user={SUPERUSER}"
    subprocess.run(
        unprivileged(
            [
                str(programs / "pg_basebackup"),
                *("--dbname", source, "--pgdata", str(standby.cluster.data.postgres)),
                *("--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync"),
            ]
        ),
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGPASSWORD": secret},
        check=True,
        capture_output=True,
    )
    # The copy has the passwords of what it was copied from.
    (standby.cluster.data.path / "secrets.json").write_bytes(
        (primary.cluster.data.path / "secrets.json").read_bytes()
    )
    standby.start()
    return Pair(primary, standby)


def _cluster(programs: Path, folder: Path) -> Cluster:
    data = DataDirectory(folder)
    folder.mkdir(mode=0o700)
    data.make_folders()
    return Cluster(programs=programs, data=data, durable=False)


def wait_until(holds, *, what: str) -> None:
    """Wait until it holds, or fail by saying what was waited for."""
    until_s = time.monotonic() + LONGEST_WAIT_S
    while not holds():
        assert time.monotonic() < until_s, f"waited in vain for {what}"
        time.sleep(0.02)
