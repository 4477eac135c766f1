"""Races between real processes: each racer is a fork with a database connection of its own."""

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from django.db import connection, connections

from transactions.idempotency import Answer
from transactions.refusals import Refusal

LONGEST_RACE_S = 20
_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Outcome:
    """What one racer got: answers, and the codes of refusals, in the order of its calls."""

    answers: list[Answer]
    refusals: list[str]


def race(
    racers: Sequence[Sequence[Callable[[], Answer]]], *, longest_s: float = LONGEST_RACE_S
) -> list[Outcome]:
    """Let every racer make its calls in a process of its own, all starting at once; give their outcomes.

    Anything but a refusal kills its racer, and with it the test.
    """
    for opened in connections.all(initialized_only=True):
        opened.close()
    start = _FORK.Barrier(len(racers))
    running = []
    for calls in racers:
        reader, writer = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=_run, args=(calls, start, writer), daemon=True)
        process.start()
        writer.close()
        running.append((process, reader))
    try:
        return [_outcome(reader, longest_s) for _process, reader in running]
    finally:
        for process, reader in running:
            process.join(LONGEST_RACE_S)
            process.kill()
            reader.close()


def _outcome(reader: Connection, longest_s: float) -> Outcome:
    assert reader.poll(longest_s), "a racer hangs"
    try:
        found: Any = reader.recv()
    except EOFError:
        raise AssertionError("a racer died of something that is no refusal; see its traceback") from None
    assert isinstance(found, Outcome)
    return found


def _run(calls: Sequence[Callable[[], Answer]], start: Any, writer: Connection) -> None:
    outcome = Outcome([], [])
    connection.ensure_connection()
    start.wait(LONGEST_RACE_S)
    for call in calls:
        try:
            outcome.answers.append(call())
        except Refusal as refusal:
            outcome.refusals.append(refusal.code)
    writer.send(outcome)
    connection.close()
