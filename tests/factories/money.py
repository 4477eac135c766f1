"""Wallets with money in them, put there as the product does it."""

from typing import Any
from uuid import UUID

from django.db import transaction

from tests.factories.calls import ACTOR, id_in, unkeyed
from tests.factories.people import CustomerFactory
from transactions import chart, ledger
from transactions.models import LedgerAccount, LineType, TransferKind
from transactions.movements import Entry, Movement
from users.models import User
from wallets import lifecycle, limits
from wallets.locks import LockedWallet, lock_wallets

NO_LIMITS: dict[str, Any] = {
    "maximum_balance": None,
    "per_transaction": None,
    "daily_outflow": None,
    "monthly_outflow": None,
    "credit": None,
}


def new_wallet(balance: int = 0, *, currency: str = "USD", owner: User | None = None) -> UUID:
    """Open a wallet for a customer of its own, or for `owner`, and put `balance` minor units into it."""
    customer = owner or CustomerFactory.create()
    answer = lifecycle.open_wallet(user_id=customer.id, currency=currency, actor=ACTOR, call=unkeyed())
    wallet_id = id_in(answer)
    if balance:
        fund(wallet_id, balance)
    return wallet_id


def fund(wallet_id: UUID, amount: int) -> Movement:
    """Post money from outside: what a processor has charged."""
    with transaction.atomic():
        wallet = locked(wallet_id)
        movement = Movement(kind=TransferKind.FUNDING, actor=ACTOR)
        return ledger.post(movement, funding_entries(wallet, amount))


def funding_entries(wallet: LockedWallet, amount: int) -> list[Entry]:
    """The two sides of money that comes from outside."""
    outside = chart.settlement(processor="sandbox", currency=wallet.currency)
    return [Entry(wallet, amount, LineType.FUNDING), Entry(outside, -amount, LineType.FUNDING)]


def locked(wallet_id: UUID) -> LockedWallet:
    """Lock one wallet, whoever's it is."""
    return lock_wallets([wallet_id])[wallet_id]


def set_limits(wallet_id: UUID, **changed: int | None) -> None:
    """Give a wallet limits of its own; those that aren't named fall back to the installation's."""
    limits.set_limits(wallet_id=wallet_id, actor=ACTOR, call=unkeyed(), **{**NO_LIMITS, **changed})


def balance_of(wallet_id: UUID) -> int:
    """Read a balance from the book."""
    return LedgerAccount.objects.values_list("balance", flat=True).get(id=wallet_id)


def held_on(wallet_id: UUID) -> int:
    """Read what is held from the book."""
    return LedgerAccount.objects.values_list("held", flat=True).get(id=wallet_id)
