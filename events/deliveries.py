"""Deliveries of events to webhook endpoints: what is due, what became of each attempt, and when the next one is.

The schedule is Standard Webhooks': ten attempts over three days, with jitter. First attempts keep the order of a
wallet; later ones go whenever they are due, ahead of nothing and behind nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import QuerySet

from events import audit, clock
from events.clock import now
from events.endpoints import endpoint_within, endpoints_within
from events.hook_calls import Reply
from events.models import DeliveryStatus, Event, WebhookDelivery
from users.refusals import NotFound

RETRIES_AFTER_S = (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
"""How long after each failed attempt the next one follows; after the last one the delivery has failed."""

JITTER = 0.1
LONGEST_BODY_BYTES = 20_000
"""Standard Webhooks' advice for the size of a message; the client's own metadata can be larger than that."""

_ATTEMPTS_LOGGED = 30
_KEPT_CHARACTERS = 4000
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Due:
    """One attempt that is due; `attempt_in_round` counts from 1 since the delivery was last asked for."""

    id: UUID
    event_id: UUID
    wallet_id: UUID | None
    attempts: int
    attempt_in_round: int
    body: bytes
    event_type: str = ""
    traceparent: str = ""

    @property
    def is_first(self) -> bool:
        """Whether nothing has been sent for it yet."""
        return self.attempts == 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was made, and what came of it."""

    due: Due
    at: datetime
    reply: Reply


def due_again() -> tuple[str, list[Any]]:
    """Give the SQL condition over deliveries (d) of later attempts that are due by now, and its parameters."""
    condition = "d.due_at <= %s"
    parameters: list[Any] = [now()]
    if clock.wallets_run_ahead():
        times = [(wallet_id, now()) for wallet_id in clock.times() if wallet_id is not None]
        condition = (
            f"({condition} OR EXISTS (SELECT FROM unnest(%s::uuid[], %s::timestamptz[]) AS t (wallet_id, until)"
            " WHERE t.wallet_id = d.wallet_id AND d.due_at <= t.until))"
        )
        parameters += [list(column) for column in zip(*times, strict=True)]
    return f"d.status = 'pending' AND d.attempts > 0 AND {condition}", parameters


def due_deliveries(*, endpoint_id: UUID, first: int, again: int) -> list[Due]:
    """List what may be sent to an endpoint now: the `first` oldest first attempts, and `again` others that are due."""
    select = (
        "(SELECT id, event_id, wallet_id, attempts, attempts - attempts_before + 1 FROM events_webhookdelivery AS d"
        " WHERE endpoint_id = %s AND"
    )
    is_due_again, parameters = due_again()
    with connection.cursor() as cursor:
        cursor.execute(
            f"{select} status = 'pending' AND attempts = 0 ORDER BY event_position LIMIT %s)"
            f" UNION ALL {select} {is_due_again} ORDER BY due_at LIMIT %s)",
            [endpoint_id, first, endpoint_id, *parameters, again],
        )
        rows: list[Any] = cursor.fetchall()
    told = {
        event.id: (message_of(event), event.type, event.traceparent)
        for event in Event.objects.filter(id__in={row[1] for row in rows})
    }
    return [
        Due(delivery_id, event_id, wallet_id, attempts, attempt_in_round, *told[event_id])
        for delivery_id, event_id, wallet_id, attempts, attempt_in_round in rows
        if event_id in told
    ]


def message_of(event: Event) -> bytes:
    """Write the message that tells of an event, always in the same bytes.

    One that would be longer than receivers are advised to take leaves the metadata out; the object has it.
    """
    message = {
        "type": event.type,
        "timestamp": event.created_at,
        "id": event.id,
        "position": event.position,
        "wallet_id": event.wallet_id,
        "seq": event.wallet_seq,
        "user_id": event.user_id,
        "request_id": event.request_id,
        "data": event.data,
    }
    body = orjson.dumps(message, option=orjson.OPT_UTC_Z)
    if len(body) > LONGEST_BODY_BYTES:
        data = {name: value for name, value in event.data.items() if name != "metadata"}
        body = orjson.dumps({**message, "data": data}, option=orjson.OPT_UTC_Z)
    return body


def record_attempts(made: Sequence[Attempt]) -> None:
    """Write down what came of attempts, and when the next ones are due. One that somebody else recorded stays so."""
    rows = [_outcome(attempt) for attempt in made]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_webhookdelivery AS d SET attempts = d.attempts + 1, status = v.status, due_at = v.due_at,"
            " finished_at = v.finished_at, log = (CASE WHEN jsonb_array_length(d.log) < %s THEN d.log"
            "   ELSE d.log - 0 END) || v.entry::jsonb"
            " FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[])"
            "   AS v (id, attempts, status, due_at, finished_at, entry)"
            " WHERE d.id = v.id AND d.attempts = v.attempts AND d.status = 'pending'",
            [_ATTEMPTS_LOGGED, *map(list, zip(*rows, strict=True))],
        )


def _outcome(attempt: Attempt) -> tuple[Any, ...]:
    due, reply = attempt.due, attempt.reply
    status, due_at, finished_at = DeliveryStatus.PENDING, None, None
    if reply.is_success:
        status = DeliveryStatus.SUCCEEDED
    elif reply.status == 410 or due.attempt_in_round > len(RETRIES_AFTER_S):
        status = DeliveryStatus.FAILED
    if status is DeliveryStatus.PENDING:
        wait_s = RETRIES_AFTER_S[due.attempt_in_round - 1] * _random.uniform(1 - JITTER, 1 + JITTER)
        due_at = attempt.at + timedelta(seconds=max(wait_s, reply.retry_after_s or 0))
    else:
        finished_at = attempt.at
    entry = {
        "at": attempt.at,
        "duration_ms": reply.duration_ms,
        "status": reply.status,
        "error": reply.error or None,
        "request_body": due.body.decode()[:_KEPT_CHARACTERS],
        "response_body": reply.body,
    }
    written = orjson.dumps(entry, option=orjson.OPT_UTC_Z).decode()
    return due.id, due.attempts, status.value, due_at, finished_at, written


def redeliver(*, delivery_id: UUID, owner: str | None, actor: str) -> WebhookDelivery:
    """Have a delivery sent again now, whatever became of it, with the schedule from its beginning.

    A disabled endpoint gets it once it is enabled again. Refuses with NotFound what is missing, somebody else's, or
    goes to an endpoint that was deleted.
    """
    with transaction.atomic():
        delivery = WebhookDelivery.objects.select_for_update().filter(id=delivery_id).first()
        if delivery is None or not endpoints_within(owner=owner).filter(id=delivery.endpoint_id).exists():
            raise NotFound("There is no such webhook delivery.")
        from_state = delivery.status
        delivery.status = DeliveryStatus.PENDING
        delivery.attempts_before = delivery.attempts
        delivery.due_at = now()
        delivery.finished_at = None
        delivery.save(update_fields=["status", "attempts_before", "due_at", "finished_at"])
        audit.record(
            actor=actor,
            action="webhook_delivery.redelivered",
            object_type="webhook_delivery",
            object_id=delivery.id,
            from_state=from_state,
            to_state=delivery.status,
        )
    return delivery


def deliveries_of(*, endpoint_id: UUID, owner: str | None) -> QuerySet[WebhookDelivery]:
    """Give the deliveries of one endpoint within reach. Refuses with NotFound."""
    endpoint = endpoint_within(endpoint_id=endpoint_id, owner=owner)
    return WebhookDelivery.objects.filter(endpoint_id=endpoint.id)


def shown(delivery: WebhookDelivery, *, event_type: str | None) -> dict[str, Any]:
    """Tell all that may be shown of a delivery: the API's fields in their order."""
    return {
        "id": delivery.id,
        "endpoint_id": delivery.endpoint_id,
        "event_id": delivery.event_id,
        "event_type": event_type,
        "position": delivery.event_position,
        "wallet_id": delivery.wallet_id,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.due_at,
        "log": delivery.log,
        "created_at": delivery.created_at,
        "finished_at": delivery.finished_at,
    }


def event_types_of(deliveries: Sequence[WebhookDelivery]) -> dict[UUID, str]:
    """Tell the types of the events that are delivered, by the events' ids."""
    events = Event.objects.filter(id__in={delivery.event_id for delivery in deliveries})
    return dict(events.values_list("id", "type"))
