"""What people are told of: notices taken from the published events, each once for its event and person.

The events are read on by their positions, from where the last reading ended; in one transaction the notices are
written and the place is moved. What has no e-mail may still be an event: `wallet.balance_low` is published from here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction

from events import context, outbox
from events.clock import now
from events.models import Notification
from events.published import last_position
from users.preferences import Wishes, wishes_of

EVENTS_AT_ONCE = 5_000
READINGS_AT_ONCE = 20

LINE_COMPLETED, BALANCE_LOW = "transaction.completed", "wallet.balance_low"
NOTICE_OF = {
    BALANCE_LOW: "low_balance",
    "top_up.failed": "top_up_failed",
    "top_up.disabled": "top_up_failed",
    "refund.approved": "refund_decided",
    "refund.rejected": "refund_decided",
    "wallet.suspended": "wallet_suspended",
}
"""The notice that an event always is; a completed line is one only when it is large."""

_PLACE = "SELECT position FROM events_noticeplace WHERE id = 1 FOR UPDATE SKIP LOCKED"
_MOVE = "UPDATE events_noticeplace SET position = %s WHERE id = 1"
_READ = (
    "SELECT id, position, type, user_id, wallet_id, data, request_id, traceparent FROM events_event"
    " WHERE position > %s AND position <= %s AND user_id IS NOT NULL"
    " AND (type = ANY(%s) OR (type = 'transaction.completed' AND (data->>'amount')::bigint < 0)) ORDER BY position"
)


@dataclass(frozen=True, slots=True)
class Told:
    """One event that somebody may have to be told of."""

    id: UUID
    position: int
    type: str
    user_id: UUID
    wallet_id: UUID | None
    data: dict[str, Any]
    request_id: str
    traceparent: str


def raise_notices() -> int:
    """Read on to the last event; tell how many notices were written. Whoever comes while another reads has nothing to do."""
    written = 0
    for _ in range(READINGS_AT_ONCE):
        found, is_at_end = _read_on()
        written += found
        if is_at_end:
            break
    return written


@transaction.atomic
def _read_on() -> tuple[int, bool]:
    with connection.cursor() as cursor:
        cursor.execute(_PLACE)
        place = cursor.fetchone()
        if place is None:
            return 0, True
        last = last_position()
        until = min(last, place[0] + EVENTS_AT_ONCE)
        if until <= place[0]:
            return 0, True
        cursor.execute(_READ, [place[0], until, list(NOTICE_OF)])
        events = [_told(row) for row in cursor.fetchall()]
        wishes = wishes_of({event.user_id for event in events})
        notices = list(_notices(events, wishes))
        Notification.objects.bulk_create(notices, ignore_conflicts=True)
        cursor.execute(_MOVE, [until])
    return len(notices), until == last


def _told(row: Sequence[Any]) -> Told:
    event_id, position, event_type, user_id, wallet_id, data, request_id, traceparent = row
    return Told(
        event_id, position, event_type, user_id, wallet_id, orjson.loads(data), request_id, traceparent
    )


def _notices(events: Sequence[Told], wishes: Mapping[UUID, Wishes]) -> Iterator[Notification]:
    for event in events:
        person = wishes[event.user_id]
        notice = NOTICE_OF.get(event.type, "")
        facts = event.data
        if event.type == LINE_COMPLETED:
            notice = "large_debit" if is_large(event.data, person) else ""
            _publish_low_balance(event, person)
        if notice and settings.EMAIL_IS_SENT and person.wants("email", notice):
            yield Notification(
                event_id=event.id,
                event_type=event.type,
                user_id=event.user_id,
                channel="email",
                notice=notice,
                facts=facts,
                request_id=event.request_id,
                due_at=now(),
                created_at=now(),
            )


def is_large(line: Mapping[str, Any], person: Wishes) -> bool:
    """Tell whether a completed line took out as much as its owner wants to hear of."""
    mark = _mark(person, "large_debit", line["currency"])
    return mark is not None and -line["amount"] >= mark


def crossed_mark(line: Mapping[str, Any], person: Wishes) -> int | None:
    """Tell the low-balance mark, in minor units, that a completed debit fell below; None where it fell below none.

    Only the debit that crosses the mark does: whoever is below already isn't told again.
    """
    mark = _mark(person, "low_balance", line["currency"])
    if mark is None:
        return None
    before = line["balance_after"] - line["amount"]
    return mark if line["balance_after"] < mark <= before else None


def _mark(person: Wishes, notice: str, currency: str) -> int | None:
    own = person.threshold(notice, currency)
    if own is not None:
        return own
    marks: dict[str, int] = settings.NOTICE_THRESHOLDS[notice]
    return marks.get(currency, marks.get("*"))


def _publish_low_balance(event: Told, person: Wishes) -> None:
    mark = crossed_mark(event.data, person)
    if mark is None:
        return
    request = context.RequestContext(request_id=event.request_id, traceparent=event.traceparent)
    with context.request_context(request):
        outbox.record(
            BALANCE_LOW,
            {
                "wallet_id": event.wallet_id,
                "user_id": event.user_id,
                "currency": event.data["currency"],
                "balance": event.data["balance_after"],
                "threshold": mark,
                "transaction_id": event.data["id"],
            },
        )
