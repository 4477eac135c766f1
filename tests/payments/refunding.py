"""Refunds as the use cases make them, and what the tests read of them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from events.clock import now
from events.models import AuditEntry, OutboxEntry
from payments import refund_decisions, refund_requests
from payments.models import Payment, Refund, RefundReason, SandboxRefund
from payments.refund_execution import execute_due_refunds
from payments.refund_rechecks import recheck_due_refunds
from tests.factories.calls import unkeyed
from tests.factories.holds import principal_of, staff
from tests.payments.customers import SUCCEEDS, Customer
from transactions.idempotency import Answer, KeyedCall
from transactions.models import LedgerAccount, Transaction
from transactions.money import Money
from users.principals import Principal
from wallets import transfers


def deposit_of(customer: Customer, amount: int, number: str = SUCCEEDS) -> Payment:
    """Fund the wallet from a card."""
    customer.top_up(customer.card(number).id, amount)
    return customer.payments[-1]


def purchase_of(customer: Customer, amount: int) -> UUID:
    """Spend at the merchant's; gives the wallet's line."""
    transfers.pay(
        wallet_id=customer.wallet_id,
        amount=Money(amount, customer.currency),
        owner_id=customer.user.id,
        actor=customer.actor,
        call=unkeyed(),
        description="a lamp",
        reference="order-1",
    )
    return Transaction.objects.filter(account_id=customer.wallet_id).latest("id").id


def ask_for(
    line_id: UUID,
    amount: int | None = None,
    *,
    by: Principal | Customer,
    call: KeyedCall | None = None,
) -> Refund:
    """Ask for a refund."""
    ask(line_id, amount, by=by, call=call)
    return Refund.objects.filter(transaction_id=line_id).latest("id")


def ask(
    line_id: UUID,
    amount: int | None = None,
    *,
    by: Principal | Customer,
    call: KeyedCall | None = None,
) -> Answer:
    """Ask for a refund; gives the answer."""
    return refund_requests.request_refund(
        line_id=line_id,
        amount=amount,
        reason=RefundReason.CUSTOMER_REQUEST,
        notes="too bright",
        principal=by if isinstance(by, Principal) else principal_of(by.user),
        call=call or unkeyed(),
    )


def approve(refund: Refund, *, by: Principal | None = None, call: KeyedCall | None = None) -> Answer:
    """Approve as somebody of finance does."""
    return refund_decisions.approve_refund(
        refund_id=refund.id, principal=by or staff("finance"), call=call or unkeyed()
    )


def reject(refund: Refund, *, by: Principal | None = None) -> Answer:
    """Reject as somebody of finance does."""
    return refund_decisions.reject_refund(
        refund_id=refund.id, reason="not so", principal=by or staff("finance"), call=unkeyed()
    )


def cancel(refund: Refund, *, by: Principal | Customer) -> Answer:
    """Take a refund back."""
    principal = by if isinstance(by, Principal) else principal_of(by.user)
    return refund_requests.cancel_refund(refund_id=refund.id, principal=principal, call=unkeyed())


def refunded(customer: Customer, line_id: UUID, amount: int | None = None) -> Refund:
    """Bring a refund through all its states."""
    refund = ask_for(line_id, amount, by=customer)
    approve(refund)
    execute_due_refunds(refund_id=refund.id)
    return now_of(refund)


def now_of(refund: Refund) -> Refund:
    """Read a refund again."""
    return Refund.objects.get(id=refund.id)


def execute_later(refund: Refund, seconds: int = 200) -> int:
    """Work on a refund as if it were some time later than any lease."""
    return execute_due_refunds(refund_id=refund.id, at=now() + timedelta(seconds=seconds))


def recheck_later(seconds: int = 60) -> int:
    """Ask about succeeded refunds as if it were some time later."""
    return recheck_due_refunds(at=now() + timedelta(seconds=seconds), limit=10_000)


def money_of(customer: Customer) -> tuple[int, int]:
    """Read balance and held."""
    return LedgerAccount.objects.values_list("balance", "held").get(id=customer.wallet_id)


def lines_of(refund: Refund) -> list[tuple[Any, ...]]:
    """Read the wallet's lines of the refund's movement, and of what took it back."""
    lines = Transaction.objects.filter(
        Q(transfer_id=refund.transfer_id) | Q(transfer__reverses=refund.transfer_id),
        account_id=refund.wallet_id,
    )
    return list(lines.order_by("id").values_list("type", "amount", "status"))


def given_back(refund: Refund) -> int:
    """Sum what the processor says that it has given back for a refund."""
    given = SandboxRefund.objects.filter(key=refund.processor_key, status="succeeded")
    return sum(given.values_list("amount", flat=True))


def states_of(refund: Refund) -> list[tuple[str, str]]:
    """Read the changes of state off the audit trail."""
    entries = AuditEntry.objects.filter(object_type="refund", object_id=str(refund.id)).order_by("id")
    return list(entries.values_list("from_state", "to_state"))


def events_of(refund: Refund) -> list[str]:
    """Read the events of a refund off the outbox."""
    entries = OutboxEntry.objects.filter(kind__startswith="refund.", payload__id=str(refund.id))
    return list(entries.order_by("id").values_list("kind", flat=True))
