"""PostgreSQL servers that a drill may kill, on the programs that the launcher finds."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from deploy.local.data_directory import DataDirectory
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import DATABASE, SUPERUSER, Cluster, find_programs, unprivileged
from deploy.local.services import POSTGRES_IN_WHEEL

ROOT = Path(__file__).resolve().parents[2]
LONGEST_START_S = 60.0
OLDEST_WITH_INCREMENTAL_BACKUPS = 17
REPLICATION = {
    # When exactly each transaction was committed: a restore to a moment is compared by it.
    "track_commit_timestamp": "on",
    "max_wal_size": "256MB",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "200ms",
}


def postgres_programs() -> Path:
    """Return the folder of PostgreSQL's programs."""
    wheel = next(iter(sorted(Path(sys.prefix).glob(POSTGRES_IN_WHEEL))), None)
    return find_programs(wheel=wheel, environment=os.environ)


class Server:
    """One server with durable settings, in a folder and on a port of its own."""

    def __init__(self, folder: Path, *, name: str = "postgres", made_from: "Server | None" = None) -> None:
        self.programs = postgres_programs()
        self.log = folder / f"{name}.log"
        data = DataDirectory(made_from.cluster.data.path if made_from else folder)
        self.cluster = Cluster(programs=self.programs, data=data, durable=True)
        self.data = folder / name
        # Copies have the passwords of what they were copied from.
        data.postgres = self.data
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self.cluster.port

    def make(self) -> None:
        """Make an empty server's folder."""
        self.cluster.make()
        settings = {**REPLICATION, **({"summarize_wal": "on"} if self.has_incremental_backups else {})}
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    @property
    def has_incremental_backups(self) -> bool:
        """Whether this PostgreSQL is one of those that know them."""
        return int((self.data / "PG_VERSION").read_text()) >= OLDEST_WITH_INCREMENTAL_BACKUPS

    def start(self) -> float:
        """Start it; return the seconds until it took clients."""
        began = time.monotonic()
        program = self.cluster.program()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                program.command,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._takes_clients():
            if self._process.poll() is not None or time.monotonic() - began > LONGEST_START_S:
                raise RuntimeError(f"PostgreSQL doesn't start:\n{self.last_words()}")
            time.sleep(0.05)
        return time.monotonic() - began

    def _takes_clients(self) -> bool:
        program = self.cluster.program()
        return program.is_ready is not None and program.is_ready()

    def wait_until_recovered(self) -> None:
        """Wait until it takes writes. Raises where it ends instead."""
        until = time.monotonic() + LONGEST_START_S
        while True:
            try:
                if self.ask("SELECT pg_is_in_recovery()")[0][0] is False:
                    return
            except psycopg.OperationalError:
                if self._process is None or self._process.poll() is not None:
                    raise RuntimeError(f"PostgreSQL ended:\n{self.last_words()}") from None
            if time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL doesn't recover:\n{self.last_words()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it with all its processes, as a loss of power would."""
        if self._process is None:
            return
        for pid in self._processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait(timeout=30)
        self._process = None

    def _processes(self) -> list[int]:
        """The postmaster, which is named first, and its children: each of these leads a process group of its own."""
        if self._process is None:
            return []
        main = self._process.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    def lose_volume(self) -> None:
        """Remove all that it has stored."""
        shutil.rmtree(self.data)

    def last_words(self) -> str:
        """Tell the end of the log."""
        return self.log.read_text(errors="replace")[-3000:]

    def ask(self, statement: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser; return its rows, if it has any."""
        with psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            dbname=database,
            user=SUPERUSER,
            password=self.cluster.data.secrets()["postgres_password"],
            autocommit=True,
            connect_timeout=5,
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def libpq(self) -> dict[str, str]:
        """The variables with which PostgreSQL's own programs reach it as the superuser."""
        return {
            "PGHOST": LOOPBACK,
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self.cluster.data.secrets()["postgres_password"],
        }

    def demand(self, standbys: str) -> None:
        """Acknowledge commits only when these standbys have them (synchronous_standby_names); empty: none."""
        self.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{standbys}'")
        self.ask("SELECT pg_reload_conf()")

    def wait_for_standby(self, name: str) -> None:
        """Wait until a standby of that name receives the log."""
        until = time.monotonic() + LONGEST_START_S
        while (name,) not in self.ask(
            "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'"
        ):
            if time.monotonic() > until:
                raise RuntimeError(f"{name} doesn't connect.")
            time.sleep(0.1)


class Archive:
    """Backups and the log of one server, by the commands that operators use."""

    def __init__(self, folder: Path, *, keys: str, server: Server, standby: Server | None = None) -> None:
        self._servers = [server, standby] if standby else [server]
        self.folder = folder
        self.directory = folder / "archive"
        self.spool = folder / "spool"
        self.server = server
        self.keys = keys
        self._receiver: subprocess.Popen[bytes] | None = None

    def environment(self, changed: Mapping[str, str] | None = None) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "BACKUP_DIRECTORY": str(self.directory),
            "BACKUP_SPOOL": str(self.spool),
            "BACKUP_KEYS": self.keys,
            "BACKUP_PROGRAMS": str(self.server.programs),
            **self.server.libpq(),
            **self._hosts(),
            **(changed or {}),
        }

    def _hosts(self) -> dict[str, str]:
        """Whichever takes writes, where there are two."""
        if len(self._servers) == 1:
            return {}
        ports = ",".join(str(server.port) for server in self._servers)
        return {"PGHOST": ",".join([LOOPBACK] * 2), "PGPORT": ports, "PGTARGETSESSIONATTRS": "read-write"}

    def run(
        self, *arguments: str, changed: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run one command to its end, as the user that PostgreSQL runs as."""
        return subprocess.run(
            self._command(arguments),
            cwd=ROOT,
            env=self.environment(changed),
            capture_output=True,
            text=True,
            timeout=600,
        )

    def do(self, *arguments: str) -> str:
        """Run one command that must succeed; return what it says."""
        done = self.run(*arguments)
        if done.returncode != 0:
            raise RuntimeError(f"{arguments[0]} failed: {done.stderr}")
        return done.stdout.strip()

    def start_receiver(self) -> None:
        """Start to receive the log, and wait until it comes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "receiver.log").open("ab") as log:
            self._receiver = subprocess.Popen(
                self._command(["receive"]), cwd=ROOT, env=self.environment(), stdout=log, stderr=log
            )
        self.server.wait_for_standby("open_wallet_wal")

    def kill_receiver(self) -> None:
        """Kill the receiver; pg_receivewal ends with it or with the server."""
        if self._receiver is not None:
            for child in (
                Path(f"/proc/{self._receiver.pid}/task/{self._receiver.pid}/children").read_text().split()
            ):
                os.kill(int(child), signal.SIGKILL)
            self._receiver.kill()
            self._receiver.wait()
            self._receiver = None

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return unprivileged([sys.executable, "-m", "deploy.backup", *arguments])


def database_url(servers: Sequence[Server], *, owner: bool = False) -> str:
    """Return the URL of the application's database on one server, or on whichever of several takes writes."""
    cluster = servers[0].cluster
    url = cluster.owner_url() if owner else cluster.application_url()
    before, _, _ = url.partition("@")
    hosts = ",".join(f"{LOOPBACK}:{server.port}" for server in servers)
    options = "?target_session_attrs=read-write&connect_timeout=2" if len(servers) > 1 else ""
    return f"{before}@{hosts}/{DATABASE}{options}"
