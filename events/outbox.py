"""The outbox: what happened, written in the same transaction, and where it can in the same statement."""

from datetime import datetime
from typing import Any

import orjson
from django.db import connection
from uuid_utils.compat import uuid7

from events import context
from events.clock import now
from events.event_types import EVENT_TYPES

INSERT_ENTRY = (
    "INSERT INTO events_outbox (id, kind, payload, request_id, traceparent, created_at)"
    " VALUES (%s, %s, %s::jsonb, %s, %s, %s)"
)


def entry_row(kind: str, payload: dict[str, Any], at: datetime) -> tuple[Any, ...]:
    """Give the values of `INSERT_ENTRY`, for a statement that writes the entry together with its effect."""
    request = context.current()
    return (
        uuid7(),
        kind,
        orjson.dumps(payload, option=orjson.OPT_UTC_Z).decode(),
        request.request_id,
        request.traceparent,
        at,
    )


def record(kind: str, payload: dict[str, Any]) -> None:
    """Write one entry in the transaction under way; `kind` is an event type of the API (`token.created`).

    `payload` is the object as the API shows it, `id` and all; beside it `wallet_id` and `user_id` say whose event it
    is, where they are known. Raises ValueError for a type that the API doesn't have: a bug of the caller.
    """
    if kind not in EVENT_TYPES:
        raise ValueError(f"{kind} is no event type of the API")
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ENTRY, entry_row(kind, payload, now()))
