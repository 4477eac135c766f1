"""A program to keep running, and the child process that runs it at the moment."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from deploy.local.console import is_warning, write_lines
from deploy.local.processes import Process, die_with_parent, kill_group
from deploy.local.refusals import CannotStart, last_line
from deploy.local.undertaker import Undertaker

CHUNK_BYTES = 65536
TAIL_BYTES = 8192


class Console(Enum):
    """How much of a program's output the console shows; the log has it all."""

    NOTHING = "nothing"
    WARNINGS = "warnings"
    EVERYTHING = "everything"


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run and how to end it; `is_ready` answers whether it serves (None: it serves as soon as it runs)."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # What the kernel sends it when the supervisor is killed; None: the command asks the kernel by itself.
    orphan_signal: signal.Signals | None = signal.SIGTERM
    console: Console = Console.NOTHING


class Child:
    """Runs one program, again and again if need be; its output goes to a log and, if wanted, to the console."""

    def __init__(
        self, program: Program, *, logs: Path, selector: selectors.BaseSelector, undertaker: Undertaker
    ) -> None:
        self.program = program
        self._undertaker = undertaker
        self.log_path = logs / f"{program.name}.log"
        self.failed_starts = 0
        self.started_at = 0.0
        self.restart_at: float | None = None  # seconds of the monotonic clock; None while it runs
        self.process: Process
        self._selector = selector
        self._unfinished_line = b""
        if self.log_path.exists():
            self.log_path.replace(self.log_path.with_suffix(".previous.log"))
        self._log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def start(self) -> None:
        """Start the program; refuse when there is nothing to execute."""
        try:
            self.process = subprocess.Popen(
                self.program.command,
                env=dict(self.program.environment),
                stdin=subprocess.DEVNULL,
                stdout=self._log if self.program.console is Console.NOTHING else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which keeps the order of the end
                preexec_fn=die_with_parent(self.program.orphan_signal),
            )
        except OSError as error:
            raise CannotStart(f"{self.program.name} can't start: {error}.") from error
        self._undertaker.note_start(self.process.pid)
        self.started_at = time.monotonic()
        self.restart_at = None
        if self.process.stdout:
            os.set_blocking(self.process.stdout.fileno(), False)
            self._selector.register(self.process.stdout, selectors.EVENT_READ, self)

    def runs(self) -> bool:
        return self.restart_at is None and self.process.poll() is None

    def is_ready(self) -> bool:
        return self.runs() and (self.program.is_ready is None or self.program.is_ready())

    def copy_output(self) -> bool:
        """Copy what the program said since the last time; return whether it may have said more."""
        pipe = self.process.stdout
        if pipe is None or pipe.closed:
            return False
        try:
            chunk = os.read(pipe.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._selector.unregister(pipe)
            pipe.close()
            return False
        os.write(self._log, chunk)
        *lines, self._unfinished_line = (self._unfinished_line + chunk).split(b"\n")
        if self.program.console is Console.WARNINGS:
            lines = [line for line in lines if is_warning(line)]
        write_lines(lines, name=self.program.name)
        return True

    def bury(self) -> None:
        """Kill what is left of the program and its own children, and copy its last words."""
        kill_group(self.process)
        self._undertaker.note_end(self.process.pid)
        while self.copy_output():
            pass
        pipe = self.process.stdout
        if pipe is not None and not pipe.closed:  # a grandchild that left the group still has the other end
            self._selector.unregister(pipe)
            pipe.close()

    def close(self) -> None:
        """Bury the program for good."""
        self.bury()
        os.close(self._log)

    def refusal(self, what: str) -> CannotStart:
        """Return the refusal that says `what` about this program and quotes its last words."""
        with self.log_path.open("rb") as log:
            log.seek(max(0, self.log_path.stat().st_size - TAIL_BYTES))
            tail = log.read().decode(errors="replace")
        return CannotStart(
            f"{self.program.name} {what}. Its last line: {last_line(tail)} (the whole log: {self.log_path})"
        )
