"""pgBouncer in transaction mode before a PostgreSQL of this machine, for the drill that proves it."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy.local.console import say
from deploy.local.data_directory import DataDirectory
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.postgres import unprivileged
from deploy.local.programs import Program
from deploy.local.refusals import CannotStart, last_line

# The first that keeps track of prepared statements in transaction mode.
OLDEST = (1, 21)
# Debian's release with one that is new enough; it is unpacked beside the checkers where this machine's is older.
SUITE = "trixie"
HOW_TO_GET_IT = (
    "Give pgBouncer 1.21 or newer: Debian 13 has it as a package (`apt-get install pgbouncer`), on an older Debian "
    "`apt-get install mmdebstrap` as root is enough to fetch that one, or name a program with PGBOUNCER."
)
SERVERS = 4


def find_pgbouncer(*, unpacked: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the command of a pgBouncer that knows prepared statements; refuse with CannotStart when there is none.

    PGBOUNCER, then PATH, then the one that was unpacked in `unpacked` before, which root fetches from Debian.
    """
    on_path = shutil.which("pgbouncer", path=f"{environment.get('PATH', '')}:/usr/sbin")
    for named in (environment.get("PGBOUNCER"), on_path):
        if named and _version([named]) >= OLDEST:
            return [named]
    if not unpacked.is_dir():
        _unpack(unpacked)
    command = _inside(unpacked)
    if _version(command) < OLDEST:
        raise CannotStart(f"The pgBouncer in {unpacked} doesn't run here. {HOW_TO_GET_IT}")
    return command


def _unpack(folder: Path) -> None:
    fetcher = shutil.which("mmdebstrap")
    if fetcher is None or os.geteuid() != 0:
        raise CannotStart(HOW_TO_GET_IT)
    say(f"Fetching pgBouncer from Debian's {SUITE} …")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    command = [fetcher, "--quiet", "--variant=extract", "--include=pgbouncer", SUITE, str(draft)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise CannotStart(f"mmdebstrap failed: {last_line(done.stderr)} {HOW_TO_GET_IT}")
    draft.rename(folder)


def _inside(root: Path) -> list[str]:
    """Name a program of another release with that release's own libraries, which needs no chroot."""
    loaders = sorted(root.glob("usr/lib*/ld-linux-*.so.*"))
    libraries = sorted(root.glob("usr/lib/*-linux-gnu*"))
    if not loaders or not libraries:
        raise CannotStart(f"{root} holds no pgBouncer. {HOW_TO_GET_IT}")
    return [str(loaders[0]), "--library-path", str(libraries[0]), str(root / "usr/sbin/pgbouncer")]


def _version(command: Sequence[str]) -> tuple[int, ...]:
    try:
        said = subprocess.run([*command, "--version"], capture_output=True, text=True).stdout
    except OSError:
        return (0,)
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0,)


class Pooler:
    """One pgBouncer on a free port, whose clients share a handful of connections for a transaction at a time."""

    def __init__(self, *, command: Sequence[str], data: DataDirectory, server_url: str) -> None:
        self.command = command
        self.folder = data.path / "pgbouncer"
        self.server = urlsplit(server_url)
        self.port = free_port()

    def url(self) -> str:
        """Name the database behind it, as the application's role."""
        who = self.server.netloc.rpartition("@")[0]
        return urlunsplit(self.server._replace(netloc=f"{who}@{LOOPBACK}:{self.port}"))

    def program(self) -> Program:
        """Return it as the supervisor runs it."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        users, settings = self.folder / "users.txt", self.folder / "pgbouncer.ini"
        _write_private(users, f'"{self.server.username}" "{self.server.password}"\n')
        lines = {
            "listen_addr": LOOPBACK,
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": str(users),
            "pool_mode": "transaction",
            "max_prepared_statements": "200",
            "ignore_startup_parameters": "extra_float_digits,options",
            "max_client_conn": "500",
            "default_pool_size": "20",
            # Each transaction goes to another server than the one before: what a session kept would be missed at once.
            "min_pool_size": str(SERVERS),
            "server_round_robin": "1",
            "log_connections": "0",
            "log_disconnections": "0",
        }
        said = "".join(f"{name} = {value}\n" for name, value in lines.items())
        database = f"* = host={self.server.hostname} port={self.server.port}\n"
        _write_private(settings, f"[databases]\n{database}\n[pgbouncer]\n{said}")
        return Program(
            name="pgbouncer",
            command=unprivileged([*self.command, str(settings)]),
            environment={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
            is_ready=self._answers,
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1.0):
                return True
        except OSError:
            return False


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
