"""Holds and adjustments as the use cases make them."""

from typing import Any
from uuid import UUID

from tests.factories.calls import ACTOR, id_in, unkeyed
from tests.factories.people import someone
from transactions.held_amounts import HeldAmount, hold_by_id
from transactions.idempotency import KeyedCall
from transactions.models import LedgerAccount
from transactions.money import Money
from users.models import User
from users.principals import Principal
from wallets import adjustments, holds
from wallets.models import Adjustment


def new_hold(wallet_id: UUID, amount: int, *, currency: str = "USD", **facts: Any) -> UUID:
    """Authorise a hold as a program does."""
    answer = holds.authorise_hold(
        wallet_id=wallet_id,
        amount=Money(amount, currency),
        owner_id=None,
        actor=ACTOR,
        call=facts.pop("call", None) or unkeyed(),
        **facts,
    )
    return id_in(answer)


def capture(wallet_id: UUID, hold_id: UUID, amount: int | None = None, call: KeyedCall | None = None) -> Any:
    """Capture `amount` of a hold, or what remains."""
    return holds.capture_hold(
        wallet_id=wallet_id,
        hold_id=hold_id,
        amount=amount,
        owner_id=None,
        actor=ACTOR,
        call=call or unkeyed(),
    )


def void(wallet_id: UUID, hold_id: UUID, call: KeyedCall | None = None) -> Any:
    """Void a hold."""
    return holds.void_hold(
        wallet_id=wallet_id, hold_id=hold_id, owner_id=None, actor=ACTOR, call=call or unkeyed()
    )


def hold_now(hold_id: UUID) -> HeldAmount:
    """Read a hold."""
    hold = hold_by_id(hold_id)
    assert hold is not None
    return hold


def money_of(wallet_id: UUID) -> tuple[int, int]:
    """Read balance and held from the book."""
    return LedgerAccount.objects.values_list("balance", "held").get(id=wallet_id)


def staff(role: str) -> Principal:
    """Make a member of staff and the principal of a token of theirs."""
    return principal_of(someone(role))


def principal_of(person: User) -> Principal:
    """Make the principal of a token that somebody holds."""
    return Principal(id=person.id, role=person.role, permissions=frozenset(person.permissions))


def ask(wallet_id: UUID, amount: int, *, by: Principal | None = None, currency: str = "USD") -> Adjustment:
    """Ask for a correction as support does."""
    answer = adjustments.request_adjustment(
        wallet_id=wallet_id,
        amount=Money(amount, currency),
        reason="a correction",
        principal=by or staff("support"),
        call=unkeyed(),
    )
    return Adjustment.objects.get(id=id_in(answer))


def approve(adjustment: Adjustment, *, by: Principal | None = None) -> Any:
    """Approve as somebody of finance does."""
    return adjustments.approve_adjustment(
        adjustment_id=adjustment.id, principal=by or staff("finance"), call=unkeyed()
    )


def reject(adjustment: Adjustment, *, by: Principal | None = None) -> Any:
    """Reject as somebody of finance does."""
    return adjustments.reject_adjustment(
        adjustment_id=adjustment.id,
        reason="not so",
        principal=by or staff("finance"),
        call=unkeyed(),
    )
