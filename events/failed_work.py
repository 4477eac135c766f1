"""Work that keeps failing: what was tried so often that people have to look, and how they have it tried again.

The row of the work itself stays the queue and stays due. This table holds what fails at the moment; a success takes
its entry away. What was done about it is in the log and in the audit trail.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction
from uuid_utils.compat import uuid7

from events import audit, context
from events.clock import now
from events.models import FailedWork
from users.principals import Principal
from users.standing import staff_member

MOST_TRIES = 5
"""How often work fails before people are told."""

LONGEST_ERROR = 200
MAY_RETRY = "settings:manage"

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WorkKind:
    """What is tried again: `make_due` makes the object's row due now, `task` is the bell that is rung with its id."""

    task: str
    make_due: Callable[[str], object]


SWEEP = "sweep"
"""The kind of a whole sweep that fails; the object is its task's name."""

kinds: dict[str, WorkKind] = {}
"""By the name that failures are noted under; apps add theirs when they are loaded."""


def note_failure(*, kind: str, object_id: object, error: str) -> None:
    """Count one failed try; at the fifth in a row people are told, by an error in the log and by the gauge.

    Never raises: whoever calls it is busy with a failure.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO events_failedwork AS w"
                " (id, kind, object_id, tries, error, request_id, first_failed_at, last_failed_at)"
                " VALUES (%s, %s, %s, 1, %s, %s, %s, %s)"
                " ON CONFLICT (kind, object_id) DO UPDATE SET tries = w.tries + 1, error = EXCLUDED.error,"
                " request_id = EXCLUDED.request_id, last_failed_at = EXCLUDED.last_failed_at RETURNING tries",
                (
                    uuid7(),
                    kind,
                    str(object_id),
                    error[:LONGEST_ERROR],
                    context.current().request_id,
                    now(),
                    now(),
                ),
            )
            (tries,) = cursor.fetchone()
    except DatabaseError:
        logger.exception("failure_not_noted", kind=kind, object_id=str(object_id), error=error)
        return
    if tries == MOST_TRIES:
        logger.error("work_failed", kind=kind, object_id=str(object_id), tries=tries, error=error)


def note_success(*, kind: str, object_id: object) -> None:
    """Take away what had been noted, if anything was."""
    FailedWork.objects.filter(kind=kind, object_id=str(object_id)).delete()


def retry_work(*, work_id: UUID, principal: Principal) -> tuple[str, tuple[str, ...]] | None:
    """Make failed work due now and count its tries anew; the bell to ring (task, arguments), None where it is done.

    Trying again is always safe: all work is idempotent. Refuses with PermissionDenied.
    """
    with transaction.atomic():
        staff_member(principal=principal, permission=MAY_RETRY)
        return _retry(work_id, actor=principal.name)


def retry_work_by_command(*, work_id: UUID) -> tuple[str, tuple[str, ...]] | None:
    """Make failed work due now from the machine's command line; the bell to ring, None where it is done."""
    with transaction.atomic():
        return _retry(work_id, actor="command")


def as_shown(work: FailedWork) -> dict[str, Any]:
    """Give the work's fields as the API names them."""
    return {
        "id": work.id,
        "kind": work.kind,
        "object_id": work.object_id,
        "tries": work.tries,
        "error": work.error,
        "request_id": work.request_id,
        "first_failed_at": work.first_failed_at,
        "last_failed_at": work.last_failed_at,
    }


def _retry(work_id: UUID, *, actor: str) -> tuple[str, tuple[str, ...]] | None:
    work = FailedWork.objects.select_for_update().filter(id=work_id).first()
    if work is None:
        return None
    tries, work.tries = work.tries, 0
    work.save(update_fields=["tries"])
    audit.record(
        actor=actor,
        action="failed_work.retried",
        object_type=work.kind,
        object_id=work.object_id,
        reason=work.error,
        before={"tries": tries},
    )
    if work.kind == SWEEP:
        return work.object_id, ()
    kind = kinds[work.kind]
    kind.make_due(work.object_id)
    return kind.task, (work.object_id,)
