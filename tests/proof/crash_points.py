"""Part 2: every named step of every money flow, and every statement of every money call, killed there and again on resume."""

import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
from django.db import connection, connections
from django.test.utils import setup_test_environment

from config.postgresql.base import DatabaseWrapper
from events.clock import now
from payments.reconciliation import sweep_due_payments
from payments.steps import Step
from tests.proof.in_process import InProcess
from tests.proof.money_calls import MONEY_CALLS, Payer, Sent, left_behind
from tests.proof.parts import Bounds, PartReport
from tests.proof.pytest_runs import run_pytest
from tests.proof.stack import Stack
from transactions.prepared import Wire

NAMED_STEPS = (
    "tests/payments/test_crash_points.py",
    "tests/payments/test_refund_crash_points.py",
    "tests/payments/test_auto_topup_crashes.py",
)
LONGEST_CHILD_S = 60.0
LATER = timedelta(minutes=10)


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Kill at each named step (the suite's own tests), then before each statement that a money call sends."""
    named = run_pytest(stack, NAMED_STEPS, longest_s=bounds.left_s)
    found = [*named.failed, *([named.printed[-1500:]] if named.failed else [])]
    setup_test_environment()
    payer = Payer(InProcess)
    figures: dict[str, int | float | str] = {
        "named steps": len(Step),
        "tests that kill at a named step": named.passed,
    }
    names = random.Random(seed).sample(list(MONEY_CALLS), len(MONEY_CALLS))
    wanted = bounds.of(len(names))
    kills, done = 0, 0
    for name in names[:wanted]:
        if bounds.is_over:
            break
        statements, broken = kill_at_each_statement(payer, name, bounds)
        figures[f"places of {name}"] = statements
        kills += 2 * statements
        found += broken
        done += 1
    figures["kills before a statement or the answer, and again on resume"] = kills
    is_complete = done == wanted and not bounds.is_over and not named.was_cut
    return PartReport(
        "crash_points",
        seed,
        figures,
        holds=not found,
        tried=named.passed + kills,
        is_complete=is_complete,
        found=tuple(found),
    )


def kill_at_each_statement(payer: Payer, name: str, bounds: Bounds) -> tuple[int, list[str]]:
    """Kill a call before its first statement, its second and so on, twice each; the third try has one effect.

    The last kill comes after all statements, before the answer. Gives how many places there were, and what broke.
    """
    prepare = MONEY_CALLS[name]
    quiet = prepare(payer)
    before = left_behind()
    total = counted(lambda: _call(quiet, f"counted-{name.replace(' ', '-')}"))
    after = left_behind()
    once = {what: after[what] - before[what] for what in after}
    found: list[str] = []
    for number in range(1, total + 2):
        if bounds.is_over:
            return number - 1, found
        sent, key = prepare(payer), f"killed-{name.replace(' ', '-')}-{number}"
        before = left_behind()
        for _ in range(2):
            ended = killed_before(number, lambda sent=sent, key=key: _call(sent, key))
            if ended != -signal.SIGKILL:
                found.append(f"{name}, statement {number}: the child ended with {ended}")
            sweep_due_payments(limit=10_000, at=now() + LATER)
        status = _call(sent, key)
        sweep_due_payments(limit=10_000, at=now() + LATER)
        after = left_behind()
        left = {what: after[what] - before[what] for what in after}
        if not 200 <= status < 300 or left != once:
            found.append(f"{name}, killed twice before statement {number}: {status}, left {left}, not {once}")
    return total + 1, found


def _call(sent: Sent, key: str) -> int:
    status: int = sent.by.call("POST", sent.path, sent.body, key=key).status_code
    return status


def counted(run: Callable[[], Any]) -> int:
    """Count what goes to the database: statements and commits."""
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1

    with _watched(count):
        run()
    return seen


def killed_before(number: int, run: Callable[[], Any]) -> int:
    """Run in a child that dies of SIGKILL before its statement `number`, or before it answers; tells how it ended."""

    def child() -> None:
        seen = 0

        def die() -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                die_at_once()

        # What it takes to connect isn't the call's.
        connection.ensure_connection()
        with _watched(die):
            run()
        # Who resumes may have less to do; and the last place of all is here, before the answer.
        die_at_once()

    connections.close_all()
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(LONGEST_CHILD_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        return 1
    return process.exitcode


def die_at_once() -> None:
    """End this process as a kill from outside does."""
    os.kill(os.getpid(), signal.SIGKILL)


class _watched:  # noqa: N801 - reads as a statement: `with _watched(count):`
    """Tell of each statement, BEGIN and COMMIT right before it is sent, by whichever way it goes."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell
        self.kept: list[tuple[type, str]] = [
            (psycopg.Cursor, "execute"),
            (psycopg.Cursor, "copy"),
            (Wire, "run"),
            (DatabaseWrapper, "_command"),
        ]
        self.originals = [getattr(owner, name) for owner, name in self.kept]

    def __enter__(self) -> None:
        for (owner, name), original in zip(self.kept, self.originals, strict=True):

            def told(*arguments: Any, _original: Any = original, **named: Any) -> Any:
                self.tell()
                return _original(*arguments, **named)

            setattr(owner, name, told)

    def __exit__(self, *_: object) -> None:
        for (owner, name), original in zip(self.kept, self.originals, strict=True):
            setattr(owner, name, original)
