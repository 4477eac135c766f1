"""A ledger account as it stands under its lock."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(slots=True, kw_only=True)
class Account:
    """One locked row of the book, in minor units; the ledger keeps it true as it posts.

    Only code that holds the row's lock may have one: what it says decides about money.
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

    @property
    def available(self) -> int:
        """What may be spent: the balance less what is held; a credit line comes on top of it."""
        return self.balance - self.held


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
)
"""The columns of an Account, in the order of its fields, for the statements that lock one."""
