"""Customers with a top-up rule, what happens to it, and what was told about it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from events import clock
from events.models import OutboxEntry
from payments.auto_topups import attend, sweep_due_top_ups
from payments.models import AutoTopUp
from payments.reconciliation import sweep_due_payments
from payments.schedules import Schedule
from payments.top_up_rules import Terms, set_rule
from tests.payments.customers import Customer, unkeyed
from tokens.models import PaymentToken
from transactions.money import Money
from wallets.transfers import pay

TOLD = ("top_up.succeeded", "top_up.failed", "top_up.disabled")


def fund(customer: Customer, amount: int) -> None:
    """Put money into the wallet, from a card that always works."""
    assert customer.top_up(customer.card().id, amount).status == 201


def give_rule(customer: Customer, token: PaymentToken | None = None, **changed: Any) -> AutoTopUp:
    """Write the wallet's rule: below 1,000 add 2,500, unless told otherwise."""
    terms = {
        "is_enabled": True,
        "threshold": 1_000,
        "amount": 2_500,
        "token_id": (token or customer.card()).id,
        "monthly_limit": None,
        "schedule": None,
        **changed,
    }
    set_rule(
        wallet_id=customer.wallet_id,
        owner_id=customer.user.id,
        terms=Terms(**terms),
        actor=customer.actor,
        call=unkeyed(),
    )
    return rule_of(customer)


def scheduled(customer: Customer, schedule: Schedule, *, zone: str = "UTC", **changed: Any) -> AutoTopUp:
    """Write a rule that goes by the calendar alone."""
    customer.user.time_zone = zone
    customer.user.save()
    return give_rule(customer, threshold=None, schedule=schedule, **changed)


def rule_of(customer: Customer) -> AutoTopUp:
    """Read the rule."""
    return AutoTopUp.objects.get(wallet_id=customer.wallet_id)


def spend(customer: Customer, amount: int) -> None:
    """Pay the merchant."""
    pay(
        wallet_id=customer.wallet_id,
        amount=Money(amount, customer.currency),
        owner_id=customer.user.id,
        actor=customer.actor,
        call=unkeyed(),
    )


def look(customer: Customer) -> None:
    """Do what a bell or a sweep does."""
    attend(wallet_id=customer.wallet_id)


def move_to(customer: Customer, moment: datetime) -> None:
    """Move the wallet's own clock."""
    clock.set_ahead(to=moment, wallet_id=customer.wallet_id)


def later(customer: Customer, **parts: float) -> None:
    """Let time pass for the wallet, and have the sweeps look: at its payments, then at its rule."""
    move_to(customer, clock.now_of(customer.wallet_id) + timedelta(**parts))
    with clock.time_of(customer.wallet_id):
        sweep_due_payments(wallet_id=customer.wallet_id)
    sweep(customer)


def sweep(customer: Customer) -> int:
    """Sweep the wallet by its own time."""
    with clock.time_of(customer.wallet_id):
        return sweep_due_top_ups(wallet_id=customer.wallet_id)


def top_ups(customer: Customer) -> list[tuple[str, int]]:
    """List the wallet's top-ups with their outcome, the oldest first."""
    return [(paid.status, paid.amount) for paid in customer.payments if paid.kind == "top_up"]


def told(wallet_id: UUID) -> list[dict[str, Any]]:
    """List what was told of a wallet's top-ups, the oldest first."""
    entries = OutboxEntry.objects.filter(kind__in=TOLD, payload__wallet_id=str(wallet_id)).order_by("id")
    return [{"kind": entry.kind, **entry.payload} for entry in entries]


def kinds_and_reasons(customer: Customer) -> list[tuple[str, str | None]]:
    """Sum up what was told."""
    return [(event["kind"], event.get("reason")) for event in told(customer.wallet_id)]
