"""The embedded PostgreSQL: finds its programs, makes the cluster, the roles and the database."""

import locale
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.data_directory import DataDirectory
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.programs import Program
from deploy.local.refusals import CannotStart, last_line

NEEDED_PROGRAMS = ("initdb", "postgres", "psql")
OLDEST_MAJOR = 15
DEBIAN_FOLDER = Path("/usr/lib/postgresql")
SUPERUSER = "postgres"
OWNER_ROLE = "open_wallet_owner"
APPLICATION_ROLE = "open_wallet_app"
DATABASE = "open_wallet"
ROLES_SQL = Path(__file__).with_name("roles.sql")
UNPRIVILEGED_USER = "nobody"
PROTOCOL_3_0 = 196608

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "jit": "off",
    "client_connection_check_interval": "2s",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u ",
    # Rows and parameters are customers' data: no log quotes them.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def find_programs(
    *, wheel: Path | None, environment: Mapping[str, str], debian: Path = DEBIAN_FOLDER
) -> Path:
    """Return the folder with PostgreSQL's programs; refuse when there is none.

    OPEN_WALLET_PG_BIN, then the installed wheel, then PATH, then the newest of Debian's own folders.
    """
    named = environment.get("OPEN_WALLET_PG_BIN")
    if named:
        if not _has_programs(Path(named)):
            raise CannotStart(
                f"OPEN_WALLET_PG_BIN={named} doesn't hold {', '.join(NEEDED_PROGRAMS)}: "
                "name the folder with PostgreSQL's programs."
            )
        return Path(named)
    by_version = sorted(debian.glob("*/bin"), key=lambda path: _number(path.parent.name), reverse=True)
    on_path = shutil.which("postgres", path=environment.get("PATH", ""))
    candidates = [wheel] if wheel else []
    candidates += [Path(on_path).resolve().parent] if on_path else []
    for folder in candidates + by_version:
        if _has_programs(folder) and _major(folder) >= OLDEST_MAJOR:
            return folder
    raise CannotStart(
        f"No PostgreSQL {OLDEST_MAJOR} or newer was found: install one (on Debian and Ubuntu: `apt-get install postgresql`) "
        "and name its folder of programs with OPEN_WALLET_PG_BIN, or give DATABASE_URL."
    )


def _has_programs(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in NEEDED_PROGRAMS)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _major(folder: Path) -> int:
    """Return the major version of the PostgreSQL in `folder`."""
    answer = subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, text=True)
    words = answer.stdout.split()  # postgres (PostgreSQL) 18.4
    return _number(words[2].split(".")[0]) if len(words) > 2 else 0


class Cluster:
    """One PostgreSQL server under `data.postgres` on a free port of this machine."""

    def __init__(self, *, programs: Path, data: DataDirectory, durable: bool) -> None:
        self.programs = programs
        self.data = data
        self.durable = durable
        self.port = free_port()

    def owner_url(self) -> str:
        return self._url(OWNER_ROLE, self.data.secrets()["owner_password"])

    def application_url(self) -> str:
        return self._url(APPLICATION_ROLE, self.data.secrets()["application_password"])

    def make(self) -> None:
        """Make the cluster if there is none; refuse one that another major version has made."""
        version_file = self.data.postgres / "PG_VERSION"
        if not version_file.exists():
            self._initialize()
        made_by, found = version_file.read_text().strip(), _major(self.programs)
        if made_by != str(found):
            raise CannotStart(
                f"{self.data.postgres} was made by PostgreSQL {made_by}, but {self.programs} holds {found}: "
                f"name the programs of {made_by} with OPEN_WALLET_PG_BIN, or start afresh with `make clean-data`."
            )

    def _initialize(self) -> None:
        # Made beside its place and then moved, so that a start that was cut short leaves no half of a cluster.
        draft = self.data.path / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.data.path) as password_file:
            password_file.write(self.data.secrets()["postgres_password"])
            password_file.flush()
            command = [
                str(self.programs / "initdb"),
                f"--pgdata={draft}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                f"--lc-ctype={_character_type()}",
                *([] if self.durable else ["--no-sync"]),
            ]
            made = subprocess.run(unprivileged(command), capture_output=True, text=True, env=_environment())
        if made.returncode != 0:
            raise CannotStart(f"initdb failed: {last_line(made.stderr)}")
        draft.rename(self.data.postgres)

    def program(self) -> Program:
        """Return the server as the supervisor runs it."""
        settings = {**SETTINGS, **(DURABLE if self.durable else THROW_AWAY), "port": str(self.port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self.data.postgres), *options]
        return Program(
            name="postgres",
            command=unprivileged(command),
            environment=_environment(),
            is_ready=lambda: answers_as_postgres(self.port),
            stop_signal=signal.SIGINT,  # "fast": rolls back what is open, then shuts down cleanly
            orphan_signal=None if _is_root() else signal.SIGINT,
        )

    def prepare(self) -> None:
        """Make the roles and the database of a running server, or bring them up to date."""
        secrets = self.data.secrets()
        # By standard input, because every user of this machine can read a command line.
        passwords = "\n".join(
            f"\\set {name} '{secrets[name]}'" for name in ("owner_password", "application_password")
        )
        psql = subprocess.run(
            [str(self.programs / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"],
            input=f"{passwords}\n{ROLES_SQL.read_text()}",
            env={
                **_environment(),
                "PGHOST": LOOPBACK,
                "PGPORT": str(self.port),
                "PGUSER": SUPERUSER,
                "PGPASSWORD": secrets["postgres_password"],
                "PGDATABASE": "postgres",
            },
            capture_output=True,
            text=True,
        )
        if psql.returncode != 0:
            raise CannotStart(f"The database roles can't be made: {last_line(psql.stderr)}")

    def _url(self, role: str, password: str) -> str:
        return f"postgres://{role}:{password}@{LOOPBACK}:{self.port}/{DATABASE}"


def unprivileged(command: Sequence[str]) -> list[str]:
    """Return `command` so that PostgreSQL, which refuses to run as root, runs: for root as another user.

    That user keeps the one capability that reaches into root's folders, instead of these being opened to everybody;
    PostgreSQL asks with access(2) whether it may read its own programs, which counts capabilities only while the
    kernel isn't told to drop them at the change of user.
    """
    if not _is_root():
        return list(command)
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise CannotStart(
            "PostgreSQL doesn't run as root, and setpriv (package util-linux) wasn't found: "
            "install it, or start as an ordinary user."
        )
    group = "nogroup" if _group_exists("nogroup") else UNPRIVILEGED_USER
    return [
        setpriv,
        f"--reuid={UNPRIVILEGED_USER}",
        f"--regid={group}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--bounding-set=-all,+dac_override",
        "--securebits=+no_setuid_fixup",
        "--pdeathsig=INT",
        "--",
        *command,
    ]


def _is_root() -> bool:
    return os.geteuid() == 0


def _group_exists(name: str) -> bool:
    with open("/etc/group") as groups:
        return any(line.startswith(f"{name}:") for line in groups)


def _environment() -> dict[str, str]:
    """PostgreSQL's programs see none of this process's variables: PGDATA and the like would mislead them."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _character_type() -> str:
    """Return the locale that knows upper and lower case beyond ASCII, where this machine has it."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        return locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def answers_as_postgres(port: int) -> bool:
    """Return whether the server lets clients log in: an open port alone may still be starting up."""
    parameters = f"user\0{SUPERUSER}\0database\0postgres\0\0".encode()
    start_up = struct.pack("!ii", 8 + len(parameters), PROTOCOL_3_0) + parameters
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as connection:
            connection.sendall(start_up)
            return (
                connection.recv(1) == b"R"
            )  # it asks for the password; "E" is an error such as "starting up"
    except OSError:
        return False
