"""Webhooks that providers send us: kept once, acknowledged at once, worked off later.

What an event says is only a hint. The handler reads what it concerns at the provider and brings our books to that,
so that events may come twice, late, in any order, or before our own commit. The row is the queue: `due_at` says
when it may be taken, and one that can't be handled yet comes back with growing pauses.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from uuid_utils.compat import uuid7

from events import context
from events.clock import now
from events.failed_work import note_failure, note_success
from payments.disputes import NotYet, apply_dispute, state_of
from payments.due_rows import each_due
from payments.models import Payment, ProviderEvent, Refund
from payments.processors import calls
from payments.processors.contract import DisputeFacts, NotFound, Unknown
from payments.processors.registry import processor_of
from payments.reconciliation import refresh_payment
from payments.refund_rechecks import refresh_refund
from payments.refusals import WebhookTooLarge
from payments.senders.contract import Concern, Kind, Notice, Sender
from payments.senders.registry import sender_of

ACTOR = "system:webhooks"
KIND = "payments.provider_event"
"""What failures are noted under."""

LARGEST_BYTES = 262_144
LEASE_S = 60
"""How long one worker keeps an event from the others, in seconds."""

FIRST_RETRY_AFTER_S = 5
LAST_RETRY_AFTER_S = 3600
MOST_ATTEMPTS = 12
"""After how many attempts an event is left to people: about three hours after it came."""

RECEIVED, HANDLED, IGNORED, FAILED = "received", "handled", "ignored", "failed"
_MATCHED = ("wallet_id", "payment_id", "refund_id")

logger = structlog.get_logger()


class NotOurs(NotYet):
    """Nothing of ours is known under these names: by the last attempt, it is somebody else's on the same account."""


def receive(*, provider: str, raw: bytes, headers: Mapping[str, str]) -> UUID | None:
    """Keep an event whose signature is good, once; give its id, or None when it was known already.

    Refuses with NotFound, WebhookTooLarge, SignatureInvalid and InvalidInput, and keeps nothing then.
    """
    sender = sender_of(provider)
    if len(raw) > LARGEST_BYTES:
        raise WebhookTooLarge
    at = now()
    notice = sender.read(raw=raw, headers=headers, at=at)
    event = ProviderEvent(
        id=uuid7(),
        provider=provider,
        event_id=notice.event_id,
        type=notice.type,
        body=notice.body,
        request_id=context.current().request_id,
        due_at=at,
        received_at=at,
    )
    ProviderEvent.objects.bulk_create([event], ignore_conflicts=True)
    is_new = ProviderEvent.objects.filter(id=event.id).exists()
    logger.info("webhook_received", provider=provider, type=notice.type, is_new=is_new)
    return event.id if is_new else None


def handle_event(*, event_id: UUID) -> None:
    """Work off one event that is due, unless somebody else has it. Idempotent."""
    at, found = now(), ProviderEvent.objects.filter(id=event_id)
    for claimed_id in each_due(lambda had: _claim(found, had=had, at=at), limit=1):
        _handle(claimed_id)


def sweep_due_events(*, limit: int = 100, at: datetime | None = None) -> int:
    """Work off events that are due, at most `limit`; tells how many. `at` is the moment to go by, now by default."""
    at, swept = at or now(), 0
    for event_id in each_due(lambda had: _claim(ProviderEvent.objects.all(), had=had, at=at), limit=limit):
        _handle(event_id)
        swept += 1
    return swept


def _claim(events: QuerySet[ProviderEvent], *, had: Collection[UUID], at: datetime) -> UUID | None:
    with transaction.atomic():
        due = events.filter(due_at__lte=at).exclude(id__in=had).order_by("due_at")
        event = due.select_for_update(skip_locked=True).only("id").first()
        if event is None:
            return None
        ProviderEvent.objects.filter(id=event.id).update(
            due_at=at + timedelta(seconds=LEASE_S), attempts=F("attempts") + 1
        )
    return event.id


def _handle(event_id: UUID) -> None:
    event = ProviderEvent.objects.get(id=event_id)
    # Whoever works it off, and when: what it changes is found under the request that brought it.
    request = replace(context.current(), request_id=event.request_id or context.current().request_id)
    with context.request_context(request):
        _work_off(event)


def _work_off(event: ProviderEvent) -> None:
    try:
        sender = sender_of(event.provider)
        concern = sender.concern(Notice(event_id=event.event_id, type=event.type, body=event.body))
        status = _bring_up_to_date(event, sender, concern)
    except NotYet as later:
        logger.info("webhook_not_handled_yet", event_id=event.event_id, reason=str(later))
        _come_back(event, failure=str(later), at_last=IGNORED if isinstance(later, NotOurs) else FAILED)
    except Exception as failure:
        logger.exception("webhook_not_handled", event_id=event.event_id, type=event.type)
        _come_back(event, failure=type(failure).__name__, at_last=FAILED)
    else:
        _end(event, status)


def _bring_up_to_date(event: ProviderEvent, sender: Sender, concern: Concern) -> str:
    """Read what an event concerns at its provider and follow it; tells how the event ends, and marks whose it is."""
    if concern.kind is Kind.NOTHING:
        return IGNORED
    outcome: object = None
    if concern.kind is Kind.REFUND:
        refund = _refund_of(sender, concern)
        event.refund_id = refund.id
        event.payment_id, event.wallet_id = refund.payment_id, refund.wallet_id
        outcome = refresh_refund(refund_id=refund.id, reference=concern.reference)
    else:
        payment = _payment_of(sender, concern)
        event.payment_id, event.wallet_id = payment.id, payment.wallet_id
        if concern.kind is Kind.DISPUTE:
            _follow_dispute(payment, concern)
        else:
            outcome = refresh_payment(payment_id=payment.id, reference=concern.reference)
    if isinstance(outcome, Unknown) and not outcome.is_answered:
        raise NotYet("the provider can't be asked")
    return HANDLED


def _payment_of(sender: Sender, concern: Concern) -> Payment:
    named = Q(pk__in=[])
    if concern.key:
        named |= Q(processor_key=concern.key)
    reference = concern.charge_reference if concern.kind is not Kind.CHARGE else concern.reference
    if reference:
        named |= Q(processor_reference=reference)
    payment = Payment.objects.filter(named, processor__in=sender.processors).first()
    if payment is None:
        raise NotOurs("no such payment")
    return payment


def _follow_dispute(payment: Payment, concern: Concern) -> None:
    seen = state_of(processor=payment.processor, reference=concern.reference)
    facts = calls.find_dispute(processor_of(payment.processor), reference=concern.reference)
    if not isinstance(facts, DisputeFacts):
        raise NotYet("no such dispute" if isinstance(facts, NotFound) else "the provider can't be asked")
    refresh_payment(payment_id=payment.id)
    apply_dispute(payment_id=payment.id, facts=facts, seen=seen, actor=ACTOR)


def _refund_of(sender: Sender, concern: Concern) -> Refund:
    named = Q(pk__in=[])
    if concern.key:
        named |= Q(processor_key=concern.key)
    if concern.reference:
        named |= Q(processor_reference=concern.reference)
    refund = Refund.objects.filter(named, payment__processor__in=sender.processors).first()
    if refund is None:
        raise NotOurs("no such refund")
    return refund


def make_due(event_id: str) -> int:
    """Take up an event again that was left to people, or that waits for its next attempt; tells how many that were."""
    unhandled = ProviderEvent.objects.filter(id=event_id, status__in=(RECEIVED, FAILED))
    return unhandled.update(status=RECEIVED, attempts=0, due_at=now(), handled_at=None)


def _come_back(event: ProviderEvent, *, failure: str, at_last: str) -> None:
    note_failure(kind=KIND, object_id=event.id, error=failure)
    if event.attempts >= MOST_ATTEMPTS:
        _end(event, at_last, failure=failure)
        return
    wait_s = min(FIRST_RETRY_AFTER_S * 2 ** (event.attempts - 1), LAST_RETRY_AFTER_S)
    event.failure = failure[:200]
    event.due_at = now() + timedelta(seconds=wait_s)
    event.save(update_fields=["failure", "due_at", *_MATCHED])


def _end(event: ProviderEvent, status: str, *, failure: str = "") -> None:
    event.status, event.failure = status, failure[:200]
    event.due_at, event.handled_at = None, now()
    event.save(update_fields=["status", "failure", "due_at", "handled_at", *_MATCHED])
    if status != FAILED and event.attempts > 1:
        note_success(kind=KIND, object_id=event.id)
    if status == FAILED:
        logger.error("webhook_given_up", event_id=event.event_id, type=event.type, failure=failure)
