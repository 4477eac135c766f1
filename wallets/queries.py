"""Reading wallets, always within what a principal may see."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from events.clock import now_of
from transactions.prepared import run
from transactions.refusals import InvalidInput
from wallets.locks import SELECT_WALLETS, LockedWallet, wallet_of_row
from wallets.models import Wallet, WalletStatus


def wallet_by_id(wallet_id: UUID, *, owner_id: UUID | None) -> LockedWallet | None:
    """Read a wallet and its account without locking them: for showing, never for deciding."""
    rows = run(
        SELECT_WALLETS + " WHERE w.id = %s AND (%s::uuid IS NULL OR w.user_id = %s)",
        (wallet_id, owner_id, owner_id),
    )
    return wallet_of_row(rows[0]) if rows else None


def status_now(wallet: Wallet) -> str:
    """Read the status at this moment: a suspension ends by the clock, and a sweep may be late."""
    over = wallet.suspended_until is not None and wallet.suspended_until <= now_of(wallet.pk)
    return WalletStatus.ACTIVE.value if wallet.status == WalletStatus.SUSPENDED and over else wallet.status


def wallet_list_key(wallet: LockedWallet) -> tuple[Any, ...]:
    """Name a wallet within a list."""
    return (wallet.created_at, str(wallet.id))


def list_wallets(
    *,
    owner_id: UUID | None,
    user_id: UUID | None,
    currency: str | None,
    status: str | None,
    key: Sequence[Any] | None,
    is_backwards: bool,
    count: int,
) -> list[LockedWallet]:
    """List wallets beyond `key`, nearest first: those of one owner, or of everybody when `owner_id` is None.

    The rest narrows the list. Refuses with InvalidInput when the key isn't one of `wallet_list_key`.
    """
    sign, direction = (">", "ASC") if is_backwards else ("<", "DESC")
    conditions: list[str] = ["true"]
    parameters: list[Any] = []
    for condition, value in (
        ("w.user_id = %s", owner_id),
        ("w.user_id = %s", user_id),
        ("w.currency = %s", currency),
        ("w.status = %s", status),
    ):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    if key is not None:
        try:
            moment, wallet_id = key
            parameters += [datetime.fromisoformat(moment), UUID(wallet_id)]
        except (TypeError, ValueError):
            raise InvalidInput("The cursor is not one of this list.", field="cursor") from None
        conditions.append(f"(w.created_at, w.id) {sign} (%s, %s)")
    rows = run(
        f"{SELECT_WALLETS} WHERE {' AND '.join(conditions)}"
        f" ORDER BY w.created_at {direction}, w.id {direction} LIMIT %s",
        (*parameters, count),
    )
    return [wallet_of_row(row) for row in rows]


def may_see(wallet_id: UUID, *, owner_id: UUID | None) -> bool:
    """Tell whether the wallet exists and is the owner's; None may see everybody's."""
    rows = run("SELECT user_id FROM wallets_wallet WHERE id = %s", (wallet_id,))
    return bool(rows) and owner_id in (None, rows[0][0])


def has_unfinished(wallet_id: UUID) -> bool:
    """Tell whether anything is still under way on the wallet: a pending line or an open hold."""
    rows = run(
        "SELECT EXISTS (SELECT FROM transactions_transaction WHERE account_id = %s AND status = 'pending')"
        " OR EXISTS (SELECT FROM transactions_hold WHERE account_id = %s AND status = 'open')"
        " OR EXISTS (SELECT FROM wallets_adjustment WHERE wallet_id = %s AND status = 'pending')",
        (wallet_id, wallet_id, wallet_id),
    )
    return bool(rows[0][0])
