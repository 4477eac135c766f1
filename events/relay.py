"""The relay: takes effects from the outbox and publishes them as events, each with its gapless `position`.

One transaction for each batch takes entries, gives positions, writes the events and the deliveries to webhook
endpoints, and deletes the entries: a relay that dies has done all of it or nothing. Several may run; the row of the
last position lets one of them at a time through.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
import structlog
import uuid_utils
from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from events import spans
from events.clock import now
from events.endpoints import Subscriber, subscribers
from events.expansion import Draft, expand

CHANNEL = "open_wallet_events"
"""What listens to PostgreSQL hears on this channel, after each commit of a batch, the last position given."""

ENTRIES_IN_BATCH = 500
USUAL_BUDGET_S = 5.0

_LOCK = "SELECT last FROM events_eventposition WHERE id = 1 FOR UPDATE SKIP LOCKED"
_SET_ASIDE = 1 << 62
"""From this number on stand entries that can't be taken apart: they wait for people and hold nobody up."""

_TAKE = (
    "WITH taken AS (DELETE FROM events_outbox WHERE id IN (SELECT id FROM events_outbox"
    f"   WHERE number IS NULL OR number < {_SET_ASIDE} ORDER BY number NULLS FIRST, id LIMIT %s) RETURNING *)"
    " SELECT id, kind, payload::text, request_id, traceparent, created_at FROM taken"
    " ORDER BY number NULLS FIRST, id"
)
_KEEP_ASIDE = (
    "INSERT INTO events_outbox (id, kind, payload, request_id, traceparent, created_at, number)"
    f" VALUES (%s, %s, %s::jsonb, %s, %s, %s, {_SET_ASIDE} + nextval('events_outbox_number_seq'))"
)
_LAST_SEQS = (
    "SELECT w.id::text, coalesce((SELECT e.wallet_seq FROM events_event AS e WHERE e.wallet_id = w.id"
    "   ORDER BY e.position DESC LIMIT 1), 0) FROM unnest(%s::uuid[]) AS w (id)"
)
_COPY_EVENTS = (
    "COPY events_event (id, position, type, wallet_id, wallet_seq, user_id, data, request_id, traceparent,"
    " created_at) FROM STDIN"
)
_COPY_DELIVERIES = (
    "COPY events_webhookdelivery (id, endpoint_id, event_id, event_position, wallet_id, status, attempts, due_at,"
    " log, created_at) FROM STDIN"
)
_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Published:
    """What was published: entries taken, events written, deliveries that now wait for their first attempt."""

    entries: int = 0
    events: int = 0
    deliveries: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    drafts: list[Draft]
    request_id: str
    traceparent: str
    created_at: datetime


def publish_waiting(
    *, budget_s: float = USUAL_BUDGET_S, entries_in_batch: int = ENTRIES_IN_BATCH
) -> Published:
    """Publish batch after batch until the outbox is empty, another relay is at work, or `budget_s` is used up."""
    total = Published()
    until_s = time.monotonic() + budget_s
    while True:
        done = publish_batch(entries_in_batch=entries_in_batch)
        total = Published(
            total.entries + done.entries, total.events + done.events, total.deliveries + done.deliveries
        )
        if done.entries < entries_in_batch or time.monotonic() >= until_s:
            return total


def publish_batch(*, entries_in_batch: int = ENTRIES_IN_BATCH) -> Published:
    """Publish the oldest entries, at most `entries_in_batch`, in one transaction; nothing while another relay does."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        locked = cursor.fetchone()
        if locked is None:
            return Published()
        cursor.execute(_TAKE, [entries_in_batch])
        entries = [_read(cursor, row) for row in cursor.fetchall()]
        drafts = [draft for entry in entries for draft in entry.drafts]
        if not drafts:
            return Published(entries=len(entries))
        _give_seqs(cursor, drafts)
        _give_owners(drafts)
        events, deliveries = _rows(entries, after=locked[0], listening=subscribers())
        _copy(_COPY_EVENTS, events)
        if deliveries:
            _copy(_COPY_DELIVERIES, deliveries)
        last = locked[0] + len(events)
        cursor.execute("UPDATE events_eventposition SET last = %s WHERE id = 1", [last])
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(last)])
    return Published(len(entries), len(events), len(deliveries))


def _read(cursor: Any, row: tuple[Any, ...]) -> _Entry:
    """Take one entry apart; one of no known form is kept for people to look at, and publishes nothing."""
    entry_id, kind, payload, request_id, traceparent, created_at = row
    try:
        with spans.continued(f"publish {kind}", traceparent=traceparent):
            drafts = expand(kind, orjson.loads(payload))
    except (LookupError, TypeError, ValueError):
        _log.exception("outbox_entry_set_aside", entry_id=str(entry_id), kind=kind)
        cursor.execute(_KEEP_ASIDE, row)
        drafts = []
    return _Entry(drafts, request_id, traceparent, created_at)


def _give_seqs(cursor: Any, drafts: Sequence[Draft]) -> None:
    """Give each event of a wallet the wallet's `seq`: its line's, or the last one that was published before it."""
    last: dict[str, int] = {}
    unknown = set()
    for draft in drafts:
        if draft.wallet_id is None or draft.wallet_id in last:
            continue
        if draft.wallet_seq is None:
            unknown.add(draft.wallet_id)
        last[draft.wallet_id] = 0
    if unknown:
        cursor.execute(_LAST_SEQS, [list(unknown)])
        last.update(cursor.fetchall())
    for draft in drafts:
        if draft.wallet_id is None:
            continue
        if draft.wallet_seq is None:
            draft.wallet_seq = last[draft.wallet_id]
        else:
            last[draft.wallet_id] = draft.wallet_seq


def _give_owners(drafts: Sequence[Draft]) -> None:
    """Say of each event of a wallet whose wallet it is; the setting WALLET_OWNERS names who knows."""
    ownerless = {draft.wallet_id for draft in drafts if draft.user_id is None and draft.wallet_id is not None}
    if not ownerless:
        return
    owners_of: Callable[[Collection[UUID]], dict[UUID, UUID]] = import_string(settings.WALLET_OWNERS)
    owners = {
        str(wallet_id): str(owner_id) for wallet_id, owner_id in owners_of(list(map(UUID, ownerless))).items()
    }
    for draft in drafts:
        if draft.user_id is None and draft.wallet_id is not None:
            draft.user_id = owners.get(draft.wallet_id)


def _rows(
    entries: Sequence[_Entry], *, after: int, listening: Sequence[Subscriber]
) -> tuple[list[str], list[str]]:
    """Write events from the position after `after`, and the deliveries of those that somebody listens to, for COPY."""
    events, deliveries = [], []
    position = after
    at = now()
    for entry in entries:
        tail = f"{entry.request_id.translate(_ESCAPES)}\t{entry.traceparent.translate(_ESCAPES)}\t{entry.created_at}"
        for draft in entry.drafts:
            position += 1
            event_id = uuid_utils.uuid7()
            data = orjson.dumps(draft.data).decode().translate(_ESCAPES)
            wallet_id = draft.wallet_id or _NULL
            seq = _NULL if draft.wallet_seq is None else draft.wallet_seq
            events.append(
                f"{event_id}\t{position}\t{draft.type}\t{wallet_id}\t{seq}\t{draft.user_id or _NULL}"
                f"\t{data}\t{tail}"
            )
            deliveries += [
                f"{uuid_utils.uuid7()}\t{subscriber.id}\t{event_id}\t{position}\t{wallet_id}\tpending\t0\t{at}"
                f"\t[]\t{at}"
                for subscriber in listening
                if subscriber.wants(draft.type, draft.user_id)
            ]
    return events, deliveries


def _copy(statement: str, rows: list[str]) -> None:
    with (
        connection.wrap_database_errors,
        psycopg.Cursor(connection.connection) as cursor,
        cursor.copy(statement) as copy,
    ):
        copy.write("\n".join(rows) + "\n")
