"""A ledger account as it stands under its lock."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from transactions.refusals import InsufficientFunds

_TICK = timedelta(microseconds=1)


@dataclass(slots=True, kw_only=True)
class Account:
    """One locked row of the book, in minor units; the ledger keeps it true as it posts.

    Only code that holds the row's lock may have one: what it says decides about money. `receivable` is what its
    owner owes us, for which `floor` has been lowered by as much.
    """

    id: UUID
    currency: str
    balance: int
    held: int
    floor: int
    version: int
    last_seq: int
    posted_at: datetime | None
    total_in: int
    total_out: int
    outflow_day: date | None
    outflow_day_amount: int
    outflow_month: date | None
    outflow_month_amount: int
    receivable: int = 0

    @property
    def available(self) -> int:
        """What may be spent: the balance less what is held; a credit line comes on top of it."""
        return self.balance - self.held

    def require_cover(self, amount: int) -> None:
        """Refuse with InsufficientFunds unless `amount` can leave without falling below the floor."""
        if self.available - amount < self.floor:
            raise InsufficientFunds

    def take_line(self, amount: int, at: datetime) -> datetime:
        """Add one completed line of signed minor units; return its moment, which follows the one before.

        `last_seq` and `balance` are then the line's. Refuses with InsufficientFunds, and changes nothing then.
        """
        if amount < 0:
            self.require_cover(-amount)
            self.total_out -= amount
        else:
            self.total_in += amount
        self.balance += amount
        self.last_seq += 1
        self.posted_at = at if self.posted_at is None else max(at, self.posted_at + _TICK)
        return self.posted_at


ACCOUNT_COLUMNS = (
    "id",
    "currency",
    "balance",
    "held",
    "floor",
    "version",
    "last_seq",
    "posted_at",
    "total_in",
    "total_out",
    "outflow_day",
    "outflow_day_amount",
    "outflow_month",
    "outflow_month_amount",
    "receivable",
)
"""The columns of an Account, in the order of its fields, for the statements that lock one."""
