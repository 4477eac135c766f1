"""The audit trail: every change of state and every look at something private, appended for ever."""

from typing import Any

import orjson
from django.db import connection
from uuid_utils.compat import uuid7

from events import context
from events.clock import now


def record(
    *,
    actor: str,
    action: str,
    object_type: str,
    object_id: object,
    from_state: str = "",
    to_state: str = "",
    reason: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Append one entry in the transaction under way; `actor` is a principal's name (`support:id`)."""
    request = context.current()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_auditentry (id, at, actor, action, object_type, object_id, from_state, to_state,"
            " reason, before, after, request_id, address)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s, %s)",
            (
                uuid7(),
                now(),
                actor,
                action,
                object_type,
                str(object_id),
                from_state,
                to_state,
                reason,
                None if before is None else orjson.dumps(before).decode(),
                None if after is None else orjson.dumps(after).decode(),
                request.request_id,
                request.address,
            ),
        )
