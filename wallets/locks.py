"""The one place where wallets are locked: all that a movement touches, at once, in id order.

Two transfers in opposite directions then queue instead of deadlocking. Both rows of a wallet, its own and its
ledger account's, are locked together: locking one of two joined rows would read the other one stale.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import OperationalError

from events.clock import now_of
from transactions.accounts import ACCOUNT_COLUMNS, Account
from transactions.idempotency import LOCK_NOT_AVAILABLE, sqlstate
from transactions.prepared import run
from transactions.refusals import NotFound, Unavailable
from wallets.models import WalletStatus
from wallets.refusals import WalletClosed, WalletSuspended


@dataclass(slots=True, kw_only=True)
class LockedWallet(Account):
    """A wallet and its ledger account as they stand under their locks; limits are in minor units or None."""

    user_id: UUID
    stored_status: str
    suspended_until: datetime | None
    label: str
    metadata_json: str
    maximum_balance: int | None
    per_transaction: int | None
    daily_outflow: int | None
    monthly_outflow: int | None
    low_mark: int | None
    created_at: datetime
    updated_at: datetime

    @property
    def status(self) -> str:
        """The state as of now: a suspension that has run out counts as over."""
        if self.stored_status == WalletStatus.SUSPENDED and self.suspended_until is not None:
            is_over = self.suspended_until <= now_of(self.id)
            return WalletStatus.ACTIVE if is_over else WalletStatus.SUSPENDED
        return self.stored_status

    @property
    def is_low(self) -> bool:
        """Whether less is available than somebody wants to hear of."""
        return self.low_mark is not None and self.available < self.low_mark

    @property
    def metadata(self) -> dict[str, Any]:
        """The client's own key-value pairs."""
        found: dict[str, Any] = orjson.loads(self.metadata_json)
        return found

    def require_active(self) -> None:
        """Refuse with WalletSuspended or WalletClosed unless the wallet may take part in new movements."""
        status = self.status
        if status == WalletStatus.SUSPENDED:
            raise WalletSuspended
        if status == WalletStatus.CLOSED:
            raise WalletClosed

    def require_owner(self, owner_id: UUID | None) -> None:
        """Refuse with NotFound unless the wallet is the owner's; None may reach everybody's."""
        if owner_id is not None and self.user_id != owner_id:
            raise NotFound


_WALLET_COLUMNS = (
    "user_id",
    "status",
    "suspended_until",
    "label",
    "metadata",
    "maximum_balance",
    "per_transaction",
    "daily_outflow",
    "monthly_outflow",
    "low_mark",
    "created_at",
    "updated_at",
)

_FIELDS = (*ACCOUNT_COLUMNS, *("stored_status" if c == "status" else c for c in _WALLET_COLUMNS))

SELECT_WALLETS = (
    "SELECT "
    + ", ".join([f"a.{column}" for column in ACCOUNT_COLUMNS] + [f"w.{column}" for column in _WALLET_COLUMNS])
    + " FROM wallets_wallet AS w JOIN transactions_ledgeraccount AS a ON a.id = w.id"
)

_LOCK_WALLETS = SELECT_WALLETS + " WHERE w.id = ANY(%s::uuid[]) ORDER BY w.id FOR UPDATE OF w, a"


def wallet_of_row(row: tuple[Any, ...]) -> LockedWallet:
    """Read one row of `SELECT_WALLETS`."""
    values = dict(zip(_FIELDS, row, strict=True))
    values["metadata_json"] = values.pop("metadata")
    return LockedWallet(**values)


def lock_wallets(ids: Collection[UUID]) -> dict[UUID, LockedWallet]:
    """Lock wallets and their accounts in id order, for the transaction under way; missing ones are left out.

    Refuses with Unavailable when a lock can't be had within the lock timeout.
    """
    try:
        rows = run(_LOCK_WALLETS, (sorted(ids),))
    except OperationalError as error:
        if sqlstate(error) == LOCK_NOT_AVAILABLE:
            raise Unavailable from error
        raise
    wallets = (wallet_of_row(row) for row in rows)
    return {wallet.id: wallet for wallet in wallets}


def lock_wallet(wallet_id: UUID, *, owner_id: UUID | None) -> LockedWallet:
    """Lock one wallet for its owner; refuses with NotFound where it is missing or somebody else's."""
    wallet = lock_wallets([wallet_id]).get(wallet_id)
    if wallet is None:
        raise NotFound
    wallet.require_owner(owner_id)
    return wallet
