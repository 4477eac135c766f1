"""The explorers of charges, of what customers are about to pay, and of what providers tell us about both."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from backoffice.explorers.narrowing import (
    AmountNarrowing,
    Explorer,
    Narrowing,
    choice,
    key,
    moment_cell,
    text,
)
from events.clock import now
from payments.models import (
    Payment,
    PaymentKind,
    PaymentMethod,
    PaymentSession,
    PaymentStatus,
    ProviderEvent,
    SessionStatus,
)
from transactions.money import Money
from users.api.csv_files import text_cell

EVENT_STATES: Final = (
    ("received", _("Received")),
    ("handled", _("Handled")),
    ("ignored", _("Ignored")),
    ("failed", _("Failed")),
)
SCHEMES: Final = (("apple_pay", "Apple Pay"), ("google_pay", "Google Pay"))


class PaymentNarrowing(AmountNarrowing):
    """What the list of charges can be narrowed to."""

    equal: ClassVar = {
        "status": "status",
        "kind": "kind",
        "method": "method",
        "processor": "processor",
        "decline_code": "decline_code",
        "reference": "processor_reference",
        "wallet_id": "wallet_id",
        "user_id": "user_id",
        "token_id": "token_id",
    }

    status = choice(_("State"), PaymentStatus.choices)
    reference = text(_("The processor’s id"), 255)
    kind = choice(_("Kind"), PaymentKind.choices)
    method = choice(_("By"), PaymentMethod.choices)
    processor = text(_("Processor"), 64)
    decline_code = text(_("Declined because"), 64)
    wallet_id = key(_("Wallet"))
    user_id = key(_("Customer"))
    token_id = key(_("Card"))


class ProviderEventNarrowing(Narrowing):
    """What the list of inbound webhooks can be narrowed to."""

    equal: ClassVar = {
        "status": "status",
        "provider": "provider",
        "type": "type",
        "wallet_id": "wallet_id",
        "payment_id": "payment_id",
        "request_id": "request_id",
    }
    when = "received_at"

    status = choice(_("State"), EVENT_STATES)
    provider = text(_("Provider"), 64)
    type = text(_("Type"), 100)
    wallet_id = key(_("Wallet"))
    payment_id = key(_("Payment"))
    request_id = text(_("Request"), 128)


class SessionNarrowing(Narrowing):
    """What the list of payment sessions can be narrowed to."""

    equal: ClassVar = {"scheme": "scheme", "wallet_id": "wallet_id", "user_id": "user_id"}

    status = choice(_("State"), SessionStatus.choices)
    scheme = choice(_("By"), SCHEMES)
    wallet_id = key(_("Wallet"))
    user_id = key(_("Customer"))

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows that were asked for; an open session whose time is over counts as expired, swept or not."""
        found, status = super().narrow(rows), self.cleaned_data["status"]
        is_over = Q(status=SessionStatus.OPEN, expires_at__lte=now())
        if status == SessionStatus.EXPIRED:
            return found.filter(Q(status=SessionStatus.EXPIRED) | is_over)
        if status == SessionStatus.OPEN:
            return found.filter(status=SessionStatus.OPEN, expires_at__gt=now())
        return found.filter(status=status) if status else found


def _payments() -> QuerySet[Payment]:
    return Payment.objects.select_related("user", "token")


def _payment_cells(payment: Payment) -> Sequence[Any]:
    return (
        moment_cell(payment.created_at),
        payment.id,
        payment.wallet_id,
        payment.user_id,
        payment.token_id or "",
        payment.kind,
        payment.method,
        payment.status,
        Money(payment.amount, payment.currency).major,
        Money(payment.refunded_amount, payment.currency).major,
        payment.currency,
        payment.decline_code,
        payment.failure_code,
        payment.processor,
        text_cell(payment.processor_reference),
        payment.transaction_id,
        moment_cell(payment.checked_at),
        moment_cell(payment.completed_at),
    )


def _event_cells(event: ProviderEvent) -> Sequence[Any]:
    return (
        moment_cell(event.received_at),
        event.id,
        event.provider,
        text_cell(event.event_id),
        text_cell(event.type),
        event.status,
        event.attempts,
        text_cell(event.failure),
        event.wallet_id or "",
        event.payment_id or "",
        event.refund_id or "",
        text_cell(event.request_id),
        moment_cell(event.due_at),
        moment_cell(event.handled_at),
    )


def _sessions() -> QuerySet[PaymentSession]:
    return PaymentSession.objects.select_related("user")


def _session_cells(session: PaymentSession) -> Sequence[Any]:
    return (
        moment_cell(session.created_at),
        session.id,
        session.wallet_id,
        session.user_id,
        session.scheme,
        session.status_at(now()),
        Money(session.amount, session.currency).major,
        session.currency,
        session.payment_id or "",
        moment_cell(session.expires_at),
        moment_cell(session.closed_at),
    )


PAYMENTS: Final = Explorer(
    name="payments",
    title=_("Payments"),
    lead=_("Charges of cards and phones, and what became of each."),
    permission="payment:read",
    form=PaymentNarrowing,
    rows=_payments,
    columns=(
        "created_at",
        "id",
        "wallet_id",
        "user_id",
        "token_id",
        "kind",
        "method",
        "status",
        "amount",
        "refunded_amount",
        "currency",
        "decline_code",
        "failure_code",
        "processor",
        "processor_reference",
        "transaction_id",
        "checked_at",
        "completed_at",
    ),
    cells=_payment_cells,
)
PROVIDER_EVENTS: Final = Explorer(
    name="provider-events",
    title=_("Provider events"),
    lead=_("What payment providers told us by webhook, each kept once and only if its signature is good."),
    permission="payment:read",
    form=ProviderEventNarrowing,
    rows=ProviderEvent.objects.all,
    columns=(
        "received_at",
        "id",
        "provider",
        "event_id",
        "type",
        "status",
        "attempts",
        "failure",
        "wallet_id",
        "payment_id",
        "refund_id",
        "request_id",
        "due_at",
        "handled_at",
    ),
    cells=_event_cells,
)
PAYMENT_SESSIONS: Final = Explorer(
    name="payment-sessions",
    title=_("Payment sessions"),
    lead=_("What customers are about to pay by phone: each is open for 15 minutes and pays once."),
    permission="payment:read",
    form=SessionNarrowing,
    rows=_sessions,
    columns=(
        "created_at",
        "id",
        "wallet_id",
        "user_id",
        "scheme",
        "status",
        "amount",
        "currency",
        "payment_id",
        "expires_at",
        "closed_at",
    ),
    cells=_session_cells,
)
