"""Movements of money in memory: what the ledger writes, and what it has written."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from transactions.accounts import Account
from transactions.chart import SystemAccount
from transactions.idempotency import Answer
from transactions.models import LineType, PostingStatus, TransferKind


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a movement: a signed amount of minor units on a locked or a system account."""

    account: Account | SystemAccount
    amount: int
    type: LineType


@dataclass(slots=True, kw_only=True)
class Line:
    """One account's line as it stands in the book; `seq` and `balance_after` are None while it is pending."""

    id: UUID
    account_id: UUID
    rolled_up: bool
    type: str
    amount: int
    currency: str
    seq: int | None = None
    balance_after: int | None = None
    created_at: datetime
    completed_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Movement:
    """A transfer and its lines; what `post`, `reserve`, `settle` and `release` return."""

    kind: TransferKind
    actor: str
    description: str = ""
    reference: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    payment_id: UUID | None = None
    hold_id: UUID | None = None
    refund_of: UUID | None = None
    reverses: UUID | None = None
    effective_at: datetime | None = None
    failure_code: str = ""
    id: UUID = field(default_factory=uuid7)
    status: PostingStatus = PostingStatus.PENDING
    created_at: datetime | None = None
    completed_at: datetime | None = None
    lines: list[Line] = field(default_factory=list)
    answer: Answer | None = None

    def line_of(self, account_id: UUID) -> Line:
        """Give the first line of one account."""
        return next(line for line in self.lines if line.account_id == account_id)

    @property
    def stored_answer(self) -> Answer:
        """The answer that was stored with the movement; only a movement with a call has one."""
        if self.answer is None:
            raise ValueError("This movement was written without a call.")
        return self.answer
