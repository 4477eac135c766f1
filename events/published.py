"""Published events as clients are shown them, read by their position."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection

_SELECT = (
    "SELECT id, position, type, wallet_id, wallet_seq, user_id, request_id, data::text, created_at FROM events_event"
    " WHERE position > %s AND position <= %s"
)
_EVERYBODYS = f"{_SELECT} ORDER BY position LIMIT %s"
_OWNERS = f"{_SELECT} AND user_id = %s ORDER BY position LIMIT %s"


class PublishedEvent(NamedTuple):
    """One event, in the order of the columns; `data` is JSON."""

    id: UUID
    position: int
    type: str
    wallet_id: UUID | None
    seq: int | None
    user_id: UUID | None
    request_id: str
    data: str
    created_at: datetime

    def shown(self) -> dict[str, Any]:
        """Give its fields as the API names them."""
        return {
            "id": self.id,
            "type": self.type,
            "position": self.position,
            "wallet_id": self.wallet_id,
            "seq": self.seq,
            "user_id": self.user_id,
            "request_id": self.request_id,
            "data": orjson.Fragment(self.data),
            "created_at": self.created_at,
        }


def oldest_first(*, after: int, until: int, owner_id: UUID | None, count: int) -> tuple[str, tuple[Any, ...]]:
    """Write the query for at most `count` events of `after < position <= until`: one owner's, or everybody's."""
    if owner_id is None:
        return _EVERYBODYS, (after, until, count)
    return _OWNERS, (after, until, owner_id, count)


def last_position() -> int:
    """Tell the position of the event that was published last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last FROM events_eventposition WHERE id = 1")
        return int(cursor.fetchone()[0])


def events_after(after: int, *, until: int, owner_id: UUID | None, count: int) -> list[PublishedEvent]:
    """Read at most `count` events of `after < position <= until`, oldest first: one owner's, or everybody's."""
    with connection.cursor() as cursor:
        cursor.execute(*oldest_first(after=after, until=until, owner_id=owner_id, count=count))
        return [PublishedEvent(*row) for row in cursor.fetchall()]
