"""What happened to one charge, step by step: agreed on, opened, asked about, answered, posted, given back, disputed.

Each step comes from the table that knows of it, bounded by an index on the payment; the oldest stands first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from backoffice.timelines import Happening, in_words
from events.models import AuditEntry, Event, WebhookDelivery
from payments.models import (
    Dispute,
    Payment,
    PaymentSession,
    PaymentStatus,
    ProviderEvent,
    Refund,
)
from transactions.models import Transaction, Transfer
from users.staff_screens import screen_url

MOST_SHOWN: Final = 50
"""How many rows of each kind one payment's page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentStory:
    """One charge with all that belongs to it; `steps` in their order, the other rows newest first."""

    session: PaymentSession | None
    steps: list[Happening]
    lines: list[Transaction]
    refunds: list[Refund]
    disputes: list[Dispute]
    provider_events: list[ProviderEvent]
    told: list[tuple[Event, list[WebhookDelivery]]] = field(default_factory=list)


def unknown_since(payment: Payment) -> datetime | None:
    """Tell since when nobody knows what became of a charge; None where it is known, or waits for the customer."""
    return payment.created_at if payment.status == PaymentStatus.PENDING else None


def story_of(payment: Payment) -> PaymentStory:
    """Read a charge's story; amounts in minor units, signed as the wallet's owner sees them."""
    session = PaymentSession.objects.filter(payment=payment).first()
    transfers = [
        payment.transfer_id,
        *Transfer.objects.filter(payment_id=payment.id)
        .order_by("-id")
        .values_list("id", flat=True)[:MOST_SHOWN],
    ]
    lines = Transaction.objects.filter(transfer_id__in=set(transfers)).select_related("account", "transfer")
    provider_events = list(ProviderEvent.objects.filter(payment_id=payment.id).order_by("-id")[:MOST_SHOWN])
    story = PaymentStory(
        session=session,
        steps=[],
        lines=list(lines.order_by("-id")[:MOST_SHOWN]),
        refunds=list(Refund.objects.filter(payment=payment).order_by("-id")[:MOST_SHOWN]),
        disputes=list(Dispute.objects.filter(payment=payment).order_by("-id")[:MOST_SHOWN]),
        provider_events=provider_events,
        told=_told_of(payment, {payment.request_id, *(event.request_id for event in provider_events)}),
    )
    story.steps.extend(sorted(_steps(payment, story), key=lambda step: (step.at, step.id)))
    return story


def _told_of(payment: Payment, request_ids: set[str]) -> list[tuple[Event, list[WebhookDelivery]]]:
    """Find the events that these requests have caused on the wallet, and what became of telling clients of them."""
    caused = Event.objects.filter(request_id__in=request_ids - {""}, wallet_id=payment.wallet_id)
    events = list(caused.order_by("-id")[:MOST_SHOWN])
    sent: dict[UUID, list[WebhookDelivery]] = {}
    for delivery in WebhookDelivery.objects.filter(event_id__in=[event.id for event in events]):
        sent.setdefault(delivery.event_id, []).append(delivery)
    return [(event, sent.get(event.id, [])) for event in events]


def _steps(payment: Payment, story: PaymentStory) -> Iterator[Happening]:
    if story.session is not None:
        yield _step(
            story.session.id,
            story.session.created_at,
            _("Session opened"),
            actor=story.session.actor,
            request_id=story.session.request_id,
        )
    yield _step(
        payment.id,
        payment.created_at,
        _("Charge begun, its key kept"),
        actor=payment.actor,
        detail=payment.processor_key,
        request_id=payment.request_id,
    )
    yield from _changes(payment)
    for line in story.lines:
        if line.account_id == payment.wallet_id and line.completed_at is not None:
            yield _step(
                line.id,
                line.completed_at,
                _("Posted to the wallet: %(type)s") % {"type": line.get_type_display()},
                status=line.status,
                url=screen_url("transactions.transaction", line.id),
                amount=line.amount,
                currency=payment.currency,
            )
    for event in story.provider_events:
        yield _step(
            event.id,
            event.received_at,
            _("The provider tells of it: %(type)s") % {"type": event.type},
            status=event.status,
            url=screen_url("payments.providerevent", event.id),
            request_id=event.request_id,
        )
    for refund in story.refunds:
        yield _step(
            refund.id,
            refund.created_at,
            _("Refund asked for"),
            status=refund.status,
            url=screen_url("payments.refund", refund.id),
            amount=-refund.amount,
            currency=refund.currency,
            request_id=refund.request_id,
        )


def _changes(payment: Payment) -> Iterator[Happening]:
    about = AuditEntry.objects.filter(object_id=str(payment.id), object_type="payment")
    for entry in about.exclude(action__endswith=".viewed").order_by("-id")[:MOST_SHOWN]:
        yield _step(
            entry.id,
            entry.at,
            in_words(entry.action),
            status=entry.to_state,
            actor=entry.actor,
            detail=entry.reason,
            request_id=entry.request_id,
        )


def _step(key: UUID, at: datetime, title: str, **more: Any) -> Happening:
    return Happening(id=key, at=at, kind="payments", title=title, **more)
