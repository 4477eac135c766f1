"""Sweeps that fail as a whole, by Celery or without it: counted, so that people are told after a few in a row.

Tasks that ring for one row aren't: the row's own sweep comes by anyway, and notes what fails there.
"""

from typing import Any

from celery import Task
from celery.signals import task_failure, task_success
from django.db import DatabaseError

from config.schedule import BEAT
from events.failed_work import SWEEP, note_failure, note_success

SWEEPS = frozenset(entry["task"] for entry in BEAT.values())


def note_outcome(task: str, failure: BaseException | None) -> None:
    """Count a failed sweep, or forget the failures of one that succeeded."""
    if task not in SWEEPS:
        return
    if failure is not None:
        note_failure(kind=SWEEP, object_id=task, error=repr(failure))
        return
    try:
        note_success(kind=SWEEP, object_id=task)
    except DatabaseError:
        # It succeeded all the same; its next success takes the entry away.
        return


def _failed(sender: Task, exception: BaseException, **_signal: Any) -> None:
    note_outcome(str(sender.name), exception)


def _succeeded(sender: Task, **_signal: Any) -> None:
    note_outcome(str(sender.name), None)


def connect() -> None:
    """Listen to Celery."""
    task_failure.connect(_failed, weak=False, dispatch_uid="note_failed_sweep")
    task_success.connect(_succeeded, weak=False, dispatch_uid="note_succeeded_sweep")
