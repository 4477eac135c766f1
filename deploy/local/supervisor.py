"""Keeps programs running in tiers: readiness, restarts, and an end that leaves nothing behind. One thread, one loop."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

from deploy.local.console import say
from deploy.local.processes import Process, describe_end, die_with_parent, kill_group
from deploy.local.programs import Child, Program
from deploy.local.refusals import Interrupted
from deploy.local.undertaker import Undertaker

LONGEST_START_S = 120.0
LONGEST_STOP_S = 8.0
# A program that ends by itself this often in a row, each time within this span of its start, can't start.
MOST_FAILED_STARTS = 4
FAILED_START_WITHIN_S = 30.0
FIRST_RESTART_DELAY_S = 0.25
# A Ctrl-C this long after the first is impatience; an earlier one is the same key press told twice.
IMPATIENT_AFTER_S = 1.0


class Supervisor:
    """Keeps programs running until it is interrupted; a context manager that stops them all on the way out."""

    def __init__(self, *, logs: Path) -> None:
        self.logs = logs
        self._tiers: list[list[Child]] = []
        self._selector = selectors.DefaultSelector()
        self._interrupted_at: float | None = None
        self._is_impatient = False
        self._has_lent_terminal = False
        self._handlers_before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Supervisor":
        self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._undertaker = Undertaker()
        self._wakeup_reader, self._wakeup_writer = os.pipe()
        for descriptor in (self._wakeup_reader, self._wakeup_writer):
            os.set_blocking(descriptor, False)
        self._selector.register(self._wakeup_reader, selectors.EVENT_READ)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores it
                self._handlers_before[number] = signal.signal(number, self._note_interrupt)
        self._handlers_before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is Interrupted:
            say("Stopping …")
        self.stop()
        self._undertaker.dismiss()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        self._selector.close()
        os.close(self._wakeup_reader)
        os.close(self._wakeup_writer)

    def start(self, programs: Sequence[Program]) -> None:
        """Start one more tier and return when each of its programs is ready; refuse when one can't start."""
        tier: list[Child] = []
        self._tiers.append(tier)
        for program in programs:
            child = Child(program, logs=self.logs, selector=self._selector, undertaker=self._undertaker)
            child.start()
            tier.append(child)
        latest = time.monotonic() + LONGEST_START_S
        waiting = list(tier)
        while waiting:
            self._turn(longest_wait_s=0.05)
            waiting = [child for child in waiting if not child.is_ready()]
            if waiting and time.monotonic() > latest:
                raise waiting[0].refusal(f"isn't ready after {LONGEST_START_S:.0f} s")

    def complete(self, program: Program) -> None:
        """Run a program that ends by itself; refuse when it fails."""
        child = Child(program, logs=self.logs, selector=self._selector, undertaker=self._undertaker)
        child.start()
        try:
            while child.runs():
                self._turn(longest_wait_s=0.5)
        finally:
            if child.runs():
                child.process.send_signal(program.stop_signal)
                self._wait_for([child.process])
            child.close()
        if child.process.returncode != 0:
            raise child.refusal(f"failed ({describe_end(child.process.returncode)})")

    def lend_terminal(self, command: Sequence[str], *, environment: Mapping[str, str]) -> int:
        """Run one command next to the programs, with the keyboard and Ctrl-C for itself; return its exit code."""
        process: Process = subprocess.Popen(
            command,
            env=dict(environment),
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        self._has_lent_terminal = True
        try:
            while process.poll() is None:
                self._turn(longest_wait_s=0.5)
        finally:
            self._has_lent_terminal = False
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                self._wait_for([process])
            kill_group(process)
        return process.returncode

    def watch(self) -> NoReturn:
        """Keep the programs running until Ctrl-C or SIGTERM; refuse when one can't be kept running."""
        while True:
            self._turn(longest_wait_s=1.0)

    def stop(self) -> None:
        """Stop the tiers, the last one first; an impatient Ctrl-C kills at once."""
        while self._tiers:
            tier = self._tiers.pop()
            running = [child for child in tier if child.runs()]
            for child in running:
                child.process.send_signal(child.program.stop_signal)
            self._wait_for([child.process for child in running])
            for child in tier:
                child.close()

    def _turn(self, *, longest_wait_s: float) -> None:
        """One turn of the loop: copy output, end if interrupted, start again what ended."""
        now = time.monotonic()
        restarts = [
            child.restart_at for tier in self._tiers for child in tier if child.restart_at is not None
        ]
        self._copy_output(longest_wait_s=min([longest_wait_s, *(max(0.0, at - now) for at in restarts)]))
        if self._interrupted_at is not None:
            raise Interrupted
        now = time.monotonic()
        for tier in self._tiers:
            for child in tier:
                if child.restart_at is None and child.process.poll() is not None:
                    self._note_end(child, now=now)
                elif child.restart_at is not None and now >= child.restart_at:
                    child.start()

    def _copy_output(self, *, longest_wait_s: float) -> None:
        for key, _ in self._selector.select(longest_wait_s):
            if isinstance(key.data, Child):
                key.data.copy_output()
            else:
                os.read(self._wakeup_reader, 4096)

    def _wait_for(self, processes: Sequence[Process]) -> None:
        latest = time.monotonic() + LONGEST_STOP_S
        while any(process.poll() is None for process in processes):
            if time.monotonic() > latest or self._is_impatient:
                return
            self._copy_output(longest_wait_s=0.05)

    def _note_interrupt(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._has_lent_terminal:
            return
        now = time.monotonic()
        if self._interrupted_at is None:
            self._interrupted_at = now
        elif number == signal.SIGINT and now - self._interrupted_at > IMPATIENT_AFTER_S:
            self._is_impatient = True

    def _note_end(self, child: Child, *, now: float) -> None:
        child.bury()
        how = describe_end(child.process.returncode)
        # A program that somebody killed has not failed to start, however early that was.
        was_killed = child.process.returncode == -signal.SIGKILL
        if now - child.started_at > FAILED_START_WITHIN_S:
            child.failed_starts = 0
        elif not was_killed:
            child.failed_starts += 1
        if child.failed_starts >= MOST_FAILED_STARTS:
            raise child.refusal(f"can't start: it ended {child.failed_starts} times in a row ({how})")
        child.restart_at = now + FIRST_RESTART_DELAY_S * 2 ** max(0, child.failed_starts - 1)
        say(f"{child.program.name} ended ({how}) and is started again.")
