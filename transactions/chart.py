"""The chart of accounts: the system's side of every movement that isn't between two wallets.

A system account is named by what it stands for, who it concerns and its currency (`settlement:stripe:USD`). Its
id follows from that name, so that every process knows it without a query.
"""

from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID, uuid5

from django.db import transaction

from events.clock import now
from transactions.prepared import run

_NAMESPACE = UUID("6f70656e-7761-4c6c-8574-6368617274ff")

_opened: set[UUID] = set()


@dataclass(frozen=True, slots=True)
class SystemAccount:
    """One side of the world outside: posted to without a lock, summed up behind.

    An empty `code` stands for an account that a line of the book already names, and whose row thus exists.
    """

    id: UUID
    currency: str
    code: str = ""


@lru_cache(maxsize=4096)
def _named(code: str, currency: str) -> SystemAccount:
    return SystemAccount(id=uuid5(_NAMESPACE, code), code=code, currency=currency)


def settlement(*, processor: str, currency: str) -> SystemAccount:
    """What a payment processor owes us for charges and has paid out for refunds."""
    return _named(f"settlement:{processor}:{currency}", currency)


def merchant(*, currency: str) -> SystemAccount:
    """What customers have paid to the merchant."""
    return _named(f"merchant:{currency}", currency)


def fees(*, currency: str) -> SystemAccount:
    """Fees taken from customers."""
    return _named(f"fees:{currency}", currency)


def adjustments(*, currency: str) -> SystemAccount:
    """The other side of corrections that staff ask for and approve."""
    return _named(f"adjustments:{currency}", currency)


def disputes(*, processor: str, currency: str) -> SystemAccount:
    """What a processor has withdrawn for disputed charges."""
    return _named(f"disputes:{processor}:{currency}", currency)


def ensure_open(accounts: list[SystemAccount]) -> None:
    """Make the rows of system accounts that this process hasn't seen yet, in the transaction under way."""
    unseen = [account for account in accounts if account.code and account.id not in _opened]
    if not unseen:
        return
    for account in unseen:
        run(
            "INSERT INTO transactions_ledgeraccount (id, code, currency, rolled_up, balance, held, floor, version,"
            " last_seq, total_in, total_out, outflow_day_amount, outflow_month_amount, created_at)"
            " VALUES (%s, %s, %s, true, 0, 0, NULL, 0, 0, 0, 0, 0, 0, %s) ON CONFLICT DO NOTHING",
            (account.id, account.code, account.currency, now()),
        )
    transaction.on_commit(lambda: _opened.update(account.id for account in unseen))
