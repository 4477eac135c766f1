"""Sending webhooks: who is due something, one sender at a time for each endpoint, and many endpoints at once.

A sender holds its endpoint by a lease. It sends the first attempts of each wallet one after the other and those of
different wallets side by side, retries beside them. Only its own thread talks to the database, so that no
connection waits for somebody's server. A sender that is killed leaves its lease to run out: the next one goes on
with what was not written down, which may send an event twice and never loses one.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, connections, transaction

from events import audit, spans
from events.clock import now
from events.deliveries import Attempt, Due, due_again, due_deliveries, record_attempts
from events.endpoints import signing_keys
from events.hook_calls import LONGEST_WAIT_S, Reply, call_endpoint
from events.models import EndpointStatus, WebhookEndpoint
from events.signing import signed_headers

LEASE_S = 120
LEASE_LEFT_S = 60
"""With less than this left of its lease a sender sends nothing more: an attempt and a slow resolver fit into it."""

ENDPOINTS_AT_ONCE = 16
LANES = 8
FIRST_IN_BATCH = 200
AGAIN_IN_BATCH = 50
RECORD_EVERY_S = 0.05

SLOW_DOWN = frozenset({429, 502, 503, 504})
LONGEST_REST_S = 60.0

_IS_FREE = (
    "e.status = 'enabled' AND (e.leased_until IS NULL OR e.leased_until <= now())"
    " AND (e.resting_until IS NULL OR e.resting_until <= %s)"
)

_log = structlog.get_logger()


def send_due(*, budget_s: float = 25.0) -> int:
    """Send what is due to all endpoints side by side, for up to `budget_s`; tell how many attempts were made.

    A slow endpoint takes one sender of several and its own time: the others don't wait for it.
    """
    until_s = time.monotonic() + budget_s
    waiting = endpoints_with_work()
    if not waiting:
        return 0
    with ThreadPoolExecutor(min(ENDPOINTS_AT_ONCE, len(waiting)), thread_name_prefix="sender") as senders:
        return sum(senders.map(lambda endpoint_id: _send_in_thread(endpoint_id, until_s), waiting))


def endpoints_with_work() -> list[UUID]:
    """List the enabled endpoints that something may be sent to now, and that nobody is sending to."""
    is_due_again, parameters = due_again()
    of_endpoint = "EXISTS (SELECT FROM events_webhookdelivery AS d WHERE d.endpoint_id = e.id AND"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.id FROM events_webhookendpoint AS e WHERE {_IS_FREE}"
            f" AND ({of_endpoint} d.status = 'pending' AND d.attempts = 0) OR {of_endpoint} {is_due_again}))",
            [now(), *parameters],
        )
        return [endpoint_id for (endpoint_id,) in cursor.fetchall()]


def send_to(*, endpoint_id: UUID, until_s: float) -> int:
    """Send what is due to one endpoint until nothing is, or the monotonic clock says `until_s`; tell how many attempts.

    Sends nothing where another sender holds the endpoint, or where it rests or is disabled.
    """
    endpoint = _taken(endpoint_id)
    if endpoint is None:
        return 0
    made = 0
    try:
        turn = _Turn(endpoint, until_s)
        while not turn.is_over.is_set() and time.monotonic() < until_s:
            due = due_deliveries(endpoint_id=endpoint.id, first=FIRST_IN_BATCH, again=AGAIN_IN_BATCH)
            if not due:
                break
            made += turn.send(due)
    finally:
        _update_endpoint("leased_until = NULL", [], endpoint.id)
    return made


def _send_in_thread(endpoint_id: UUID, until_s: float) -> int:
    """Send in a thread of its own, whose connection is closed with it."""
    try:
        return send_to(endpoint_id=endpoint_id, until_s=until_s)
    except Exception:  # noqa: BLE001 - what fails with one endpoint must not stop the others
        _log.exception("webhook_sender_failed", endpoint_id=str(endpoint_id))
        return 0
    finally:
        connections.close_all()


def _taken(endpoint_id: UUID) -> WebhookEndpoint | None:
    """Lease an endpoint by the database's clock, which all senders share; None where it can't be had."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_webhookendpoint AS e SET leased_until = now() + %s * interval '1 second'"
            f" WHERE e.id = %s AND {_IS_FREE}",
            [LEASE_S, endpoint_id, now()],
        )
        if not cursor.rowcount:
            return None
    return WebhookEndpoint.objects.get(id=endpoint_id)


class _Turn:
    """One sender's turn at one endpoint: lanes that send, and the thread that writes down what they tell."""

    def __init__(self, endpoint: WebhookEndpoint, until_s: float) -> None:
        self.endpoint = endpoint
        self.keys = signing_keys(endpoint)
        self.until_s = until_s
        self.leased_until_s = time.monotonic() + LEASE_S
        self.is_over = threading.Event()

    def send(self, due: Sequence[Due]) -> int:
        """Send a batch, lane by lane, and write down all that came of it; tell how many attempts were made."""
        told: SimpleQueue[Attempt | None] = SimpleQueue()
        lanes = list(_lanes(due))
        running, made = len(lanes), 0
        with ThreadPoolExecutor(min(LANES, running), thread_name_prefix="lane") as pool:
            senders = [pool.submit(self._send_lane, lane, told) for lane in lanes]
            while running:
                attempts, ended = _gathered(told, running)
                running -= ended
                if attempts:
                    record_attempts(attempts)
                    self._heed(attempts)
                    made += len(attempts)
                self._renew()
        for sender in senders:
            sender.result()  # raises what was no answer of the endpoint's but a bug
        return made

    def _send_lane(self, lane: Sequence[Due], told: SimpleQueue[Attempt | None]) -> None:
        try:
            for due in lane:
                if self.is_over.is_set() or time.monotonic() >= self._last_start_s():
                    return
                told.put(self._attempt(due))
        finally:
            told.put(None)

    def _last_start_s(self) -> float:
        return min(self.until_s, self.leased_until_s - LEASE_LEFT_S)

    def _attempt(self, due: Due) -> Attempt:
        at = now()
        headers = signed_headers(
            message_id=str(due.event_id), timestamp_s=int(time.time()), body=due.body, keys=self.keys
        )
        with spans.continued(f"send {due.event_type}", traceparent=due.traceparent) as traceparent:
            if traceparent:
                headers["traceparent"] = traceparent
            reply = call_endpoint(self.endpoint.url, body=due.body, headers=headers)
        if reply.status == 410 or _asks_for_rest(reply):
            self.is_over.set()
        return Attempt(due, at, reply)

    def _heed(self, attempts: Sequence[Attempt]) -> None:
        """Disable an endpoint that says it is gone, leave one alone that can't follow, and forget its old troubles."""
        replies = [attempt.reply for attempt in attempts]
        if any(reply.status == 410 for reply in replies):
            _disable_gone(self.endpoint)
            return
        tired = [reply for reply in replies if _asks_for_rest(reply)]
        if tired:
            failures = self.endpoint.failures_in_a_row = self.endpoint.failures_in_a_row + 1
            rest_s = max(
                min(2.0 ** min(failures - 1, 10), LONGEST_REST_S),
                *(min(reply.retry_after_s or 0.0, LONGEST_WAIT_S) for reply in tired),
            )
            _update_endpoint(
                "failures_in_a_row = %s, resting_until = %s",
                [failures, now() + timedelta(seconds=rest_s)],
                self.endpoint.id,
            )
        elif self.endpoint.failures_in_a_row and any(reply.is_success for reply in replies):
            self.endpoint.failures_in_a_row = 0
            _update_endpoint("failures_in_a_row = 0, resting_until = NULL", [], self.endpoint.id)

    def _renew(self) -> None:
        if self.leased_until_s - time.monotonic() < LEASE_S - LEASE_LEFT_S / 2:
            _update_endpoint("leased_until = now() + %s * interval '1 second'", [LEASE_S], self.endpoint.id)
            self.leased_until_s = time.monotonic() + LEASE_S


def _lanes(due: Sequence[Due]) -> Iterator[list[Due]]:
    """Part a batch: the first attempts of each wallet stand in one lane, in their order, each retry in its own."""
    firsts: dict[UUID | None, list[Due]] = {}
    for delivery in due:
        if delivery.is_first:
            firsts.setdefault(delivery.wallet_id, []).append(delivery)
    yield from ([delivery] for delivery in due if not delivery.is_first)
    yield from firsts.values()


def _gathered(told: SimpleQueue[Attempt | None], running: int) -> tuple[list[Attempt], int]:
    """Wait a moment for what `running` lanes tell; give the attempts, and how many lanes have come to their end."""
    attempts, ended = [], 0
    until_s = time.monotonic() + RECORD_EVERY_S
    while ended < running and (left_s := until_s - time.monotonic()) > 0:
        try:
            heard = told.get(timeout=left_s)
        except Empty:
            break
        if heard is None:
            ended += 1
        else:
            attempts.append(heard)
    return attempts, ended


def _asks_for_rest(reply: Reply) -> bool:
    return reply.status in SLOW_DOWN or reply.error in ("timeout", "connection_failed")


def _disable_gone(endpoint: WebhookEndpoint) -> None:
    with transaction.atomic():
        _update_endpoint(
            "status = 'disabled', disabled_reason = '410 Gone', updated_at = %s", [now()], endpoint.id
        )
        audit.record(
            actor="system",
            action="webhook_endpoint.disabled",
            object_type="webhook_endpoint",
            object_id=endpoint.id,
            from_state=EndpointStatus.ENABLED,
            to_state=EndpointStatus.DISABLED,
            reason="410 Gone",
        )


def _update_endpoint(assignments: str, values: list[Any], endpoint_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE events_webhookendpoint SET {assignments} WHERE id = %s", [*values, endpoint_id]
        )
