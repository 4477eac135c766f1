"""The real stack for one part: PostgreSQL, Valkey, web, worker, beat, and a payment provider, each of which can be killed.

PostgreSQL syncs as in production. What runs ends with the part, however that ends: its undertaker sees to it. Kills come from the thread that started the stack: PostgreSQL, run as root, asks
the kernel to end it with that thread.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from deploy.local.application import background, web
from deploy.local.data_directory import DataDirectory
from deploy.local.environment import application_environment
from deploy.local.ports import free_port
from deploy.local.postgres import Cluster, find_programs
from deploy.local.programs import Program
from deploy.local.services import POSTGRES_IN_WHEEL, VALKEY_IN_WHEEL
from deploy.local.undertaker import Undertaker
from deploy.local.valkey import KeyValueServer, find_server
from tests.contracts.fake_stripe import KEY
from tests.proof.parts import Part
from tests.workers.installation import ROOT, Installation

LONGEST_END_S = 20.0
KEPT_VARIABLES = ("HOME", "LANG", "PATH", "TMPDIR", "OPEN_WALLET_PG_BIN")
UNLIMITED = {f"RATE_LIMIT_{name}": "off" for name in ("GLOBAL", "USER", "PAYMENT", "SERVICE")}


class Stack(Installation):
    """One installation; `environment` leads to it, `port` is where it answers."""

    def __init__(self, folder: Path, *, part: Part) -> None:
        self._undertaker = Undertaker()
        self.folder = folder
        self.data = DataDirectory(folder / "data")
        self.data.path.mkdir(parents=True)
        self.data.make_folders()
        super().__init__({}, port=free_port(), logs=self.data.logs)
        given = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        wheel = _first(POSTGRES_IN_WHEEL)
        self.cluster = Cluster(
            programs=find_programs(wheel=wheel, environment=given), data=self.data, durable=True
        )
        server = find_server(wheel=_first(VALKEY_IN_WHEEL), environment=given)
        if server is None:
            raise RuntimeError("There is neither Valkey nor Redis on this machine.")
        self.store = KeyValueServer(server=server, data=self.data, durable=False)
        services = {
            "DATABASE_URL": self.cluster.application_url(),
            "DATABASE_OWNER_URL": self.cluster.owner_url(),
            "REDIS_URL": self.store.url(),
            "PATH": f"{self.cluster.programs}:{given.get('PATH', '')}",
        }
        own = {
            "PORT": str(self.port),
            "WEB_WORKERS": "2",
            "WEB_THREADS": "8",
            "LOG_LEVEL": "INFO",
            **UNLIMITED,
        }
        if part.has_provider:
            own |= _provider_environment(free_port())
        self.environment: Mapping[str, str] = application_environment(
            given={**given, **own}, services=services, data=self.data
        )

    def begin(self, *, part: Part) -> None:
        """Start what the part needs, with an empty, migrated database."""
        self.cluster.make()
        program = self.cluster.program()
        options = [word for name, value in part.postgres.items() for word in ("-c", f"{name}={value}")]
        self.add(
            Program(
                name=program.name,
                command=[*program.command, *options],
                environment=program.environment,
                is_ready=program.is_ready,
            )
        )
        self.add(self.store.program())
        self.cluster.prepare()
        self.manage("prepare")
        if part.programs:
            python = Path(sys.executable)
            if part.has_provider:
                command = [sys.executable, "-m", "tests.proof.provider", str(self.folder / "provider")]
                self.add(Program(name="provider", command=command, environment=self.environment))
            known = [web(python=python, environment=self.environment)]
            known += background(python=python, environment=self.environment, data=self.data)
            for program in known:
                if program.name in part.programs:
                    self.add(program)

    def add(self, program: Program) -> None:
        """Start one more program and wait until it is ready."""
        self.programs = {**self.programs, program.name: program}
        self._start(program.name)
        self.wait_until_ready(program.name)

    def wait_until_ready(self, *names: str, longest_s: float = 60.0) -> None:
        """Wait until these programs, or all of them, answer."""
        until = time.monotonic() + longest_s
        for name in names or tuple(self.programs):
            is_ready = self.programs[name].is_ready
            while is_ready is not None and not is_ready():
                self.revive()
                if time.monotonic() > until:
                    raise RuntimeError(f"{name} doesn't start:\n{self.last_words(name)}")
                time.sleep(0.1)

    def revive(self) -> None:
        """Start again what has ended by itself, as a supervisor does."""
        with self._guard:
            for name, process in list(self._running.items()):
                if process.poll() is not None:
                    self._end(name)
                    self._start(name)

    def keep_down(self, name: str, *, for_s: float) -> None:
        """Kill one program and leave it dead for some seconds; then start it again."""
        with self._guard:
            self._end(name)
            self.kills.append(name)
            time.sleep(for_s)
            self._start(name)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run manage.py on this installation; raises CalledProcessError when it fails."""
        environment = {name: value for name, value in self.environment.items() if "PROMETHEUS" not in name}
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)

    def owner(self) -> psycopg.Connection:
        """Connect as the owner of the tables, past the application."""
        return psycopg.connect(self.cluster.owner_url(), autocommit=True)

    def pid_of(self, name: str) -> int:
        """Tell the process id of a running program."""
        return self._running[name].pid

    def said(self) -> str:
        """Read all that the programs have written to their logs."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.data.logs.glob("*.log")))

    def stop(self) -> None:
        """End everything."""
        super().stop()
        self._undertaker.dismiss()

    def _start(self, name: str) -> None:
        super()._start(name)
        self._undertaker.note_start(self._running[name].pid)

    def _end(self, name: str) -> None:
        children = _children(self._running[name].pid)
        super()._end(name)
        # PostgreSQL's children lead groups of their own; a new one can't start beside them.
        for pid in children:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        until = time.monotonic() + LONGEST_END_S
        while any(_lives(pid) for pid in children) and time.monotonic() < until:
            time.sleep(0.01)
        self._undertaker.note_end(self._running[name].pid)


@contextmanager
def running(folder: Path, *, part: Part) -> Iterator[Stack]:
    """Run the stack that a part needs, in `folder`."""
    stack = Stack(folder, part=part)
    try:
        stack.begin(part=part)
        yield stack
    finally:
        stack.stop()


def _provider_environment(port: int) -> dict[str, str]:
    return {
        "PAYMENT_PROCESSOR": "tests.proof.prompt_stripe.processor",
        "STRIPE_API_KEY": KEY,
        "STRIPE_API_BASE": f"http://127.0.0.1:{port}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
    }


def _first(pattern: str) -> Path | None:
    return next(iter(sorted(Path(sys.prefix).glob(pattern))), None)


def _children(pid: int) -> list[int]:
    """List the direct children of a process, where the kernel tells."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
