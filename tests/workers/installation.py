"""An installation whose processes are killed while it works: broker, web server, worker and beat, as `make run` starts them.

Each process has a group of its own, so that a kill takes its children along, and is started again at once. The broker
keeps nothing: whatever was in its queues is lost with it.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy.local.application import background, web
from deploy.local.data_directory import DataDirectory
from deploy.local.ports import free_port
from deploy.local.programs import Program
from deploy.local.services import VALKEY_IN_WHEEL
from deploy.local.valkey import KeyValueServer, find_server

ROOT = Path(__file__).resolve().parents[2]
LONGEST_START_S = 60.0
QUIET_START_S = 4.0
"""How long all takes to start on a machine that has nothing else to do, at most."""


class Installation:
    """Its programs by name, and what each kill hit."""

    def __init__(self, programs: Mapping[str, Program], *, port: int, logs: Path) -> None:
        self.programs = programs
        self.port = port
        self.kills: list[str] = []
        self.pace = 1.0
        """How many times longer everything takes here than on a quiet machine, as the first start did."""
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._guard = threading.Lock()

    def start(self) -> None:
        """Start all programs, and wait for those that can tell when they are ready."""
        began = time.monotonic()
        for name, program in self.programs.items():
            self._start(name)
            until = time.monotonic() + LONGEST_START_S
            while program.is_ready is not None and not program.is_ready():
                if time.monotonic() > until:
                    raise RuntimeError(f"{name} doesn't start:\n{self.last_words(name)}")
                time.sleep(0.1)
        self.pace = max(1.0, (time.monotonic() - began) / QUIET_START_S)

    def kill(self, name: str) -> None:
        """Kill one program with all its children, and start it again."""
        with self._guard:
            self._end(name)
            self.kills.append(name)
            self._start(name)

    def replace(self, name: str, *, within_s: float) -> int:
        """Tell one program to stop, wait for its end, and start it again; gives what it ended with."""
        with self._guard:
            process = self._running[name]
            process.terminate()
            ended = process.wait(within_s)
            self._start(name)
        return ended

    def keep_killing(
        self, *, rng: random.Random, every_s: tuple[float, float], until: threading.Event
    ) -> None:
        """Kill programs at random until told to stop; each of them at least once.

        `every_s` (from, to) is for a quiet machine: where everything starts more slowly, kills as fast would leave
        no worker alive long enough to do anything.
        """
        names = list(self.programs)
        rng.shuffle(names)
        while True:
            for name in names:
                if until.wait(rng.uniform(*every_s) * self.pace):
                    return
                self.kill(name)
            names = rng.choices(list(self.programs), k=len(names))

    def stop(self) -> None:
        """End everything."""
        with self._guard:
            for name in reversed(list(self._running)):
                self._end(name)

    def last_words(self, name: str) -> str:
        """Tell the end of a program's log."""
        return (self._logs / f"{name}.log").read_text(errors="replace")[-3000:]

    def times_said(self, name: str, words: str) -> int:
        """Count how often a program's log has these words."""
        return (self._logs / f"{name}.log").read_text(errors="replace").count(words)

    def _start(self, name: str) -> None:
        program = self.programs[name]
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                program.command,
                cwd=ROOT,
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, name: str) -> None:
        process = self._running[name]
        with suppress(ProcessLookupError):  # It had ended by itself; its group is gone.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


@contextmanager
def installation(
    folder: Path, *, environment: Mapping[str, str], has_broker: bool = True
) -> Iterator[Installation]:
    """Run everything on a free port; without a broker, one process sweeps."""
    data = DataDirectory(folder / "data")
    data.path.mkdir(parents=True)
    data.make_folders()
    port = free_port()
    variables = {
        **environment,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_WORKERS": "1",
        "WEB_THREADS": "8",
        "REDIS_URL": "",
    }
    variables.pop("PROMETHEUS_MULTIPROC_DIR", None)
    programs: list[Program] = []
    if has_broker:
        wheel = next(iter(sorted(Path(sys.prefix).glob(VALKEY_IN_WHEEL))), None)
        server = find_server(wheel=wheel, environment=os.environ)
        if server is None:
            raise RuntimeError("There is neither Valkey nor Redis on this machine.")
        broker = KeyValueServer(server=server, data=data, durable=False)
        variables["REDIS_URL"] = broker.url()
        programs.append(broker.program())
    python = Path(sys.executable)
    programs.append(web(python=python, environment=variables))
    programs += background(python=python, environment=variables, data=data)
    running = Installation({program.name: program for program in programs}, port=port, logs=data.logs)
    try:
        running.start()
        yield running
    finally:
        running.stop()
