"""A wallet's life: opened, named, suspended, reactivated, closed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from events import audit, outbox
from events.clock import now
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.prepared import run
from transactions.refusals import InvalidInput
from wallets import cached_reads
from wallets.locks import SELECT_WALLETS, LockedWallet, lock_wallet, wallet_of_row
from wallets.models import WalletStatus
from wallets.queries import has_unfinished
from wallets.refusals import WalletClosed, WalletExists, WalletNotEmpty

_OPEN = (
    "WITH a AS (INSERT INTO transactions_ledgeraccount (id, owner_id, currency, rolled_up, balance, held, floor,"
    " version, last_seq, total_in, total_out, outflow_day_amount, outflow_month_amount, created_at)"
    " VALUES (%s, %s, %s, false, 0, 0, 0, 1, 0, 0, 0, 0, 0, %s))"
    " INSERT INTO wallets_wallet (id, user_id, currency, status, status_reason, label, metadata, created_at,"
    " updated_at) VALUES (%s, %s, %s, 'active', '', %s, %s::jsonb, %s, %s)"
)


def open_wallet(
    *,
    user_id: UUID,
    currency: str,
    actor: str,
    call: KeyedCall,
    label: str = "",
    metadata: dict[str, Any] | None = None,
) -> Answer:
    """Open a customer's wallet in a currency; `call.render` is given the LockedWallet.

    Refuses with InvalidInput when there is no such active customer, and with WalletExists when the customer has an open one in this currency: the database decides that, so
    that no race opens two.
    """

    def effect() -> Answer:
        customer = run("SELECT 1 FROM users_user WHERE id = %s AND is_active FOR KEY SHARE", (user_id,))
        if not customer:
            raise InvalidInput("There is no such active customer.", field="user_id")
        wallet_id, at = uuid7(), now()
        try:
            with transaction.atomic():
                run(
                    _OPEN,
                    (
                        wallet_id,
                        user_id,
                        currency,
                        at,
                        wallet_id,
                        user_id,
                        currency,
                        label,
                        orjson.dumps(metadata or {}).decode(),
                        at,
                        at,
                    ),
                )
        except IntegrityError as error:
            if "wallet_open_once_by_currency" in str(error):
                raise WalletExists from error
            raise
        wallet = wallet_of_row(run(SELECT_WALLETS + " WHERE w.id = %s", (wallet_id,))[0])
        _trace(wallet, actor=actor, event="wallet.created", to_state=WalletStatus.ACTIVE)
        return store(call, wallet)

    return once(call, effect)


def describe_wallet(
    *,
    wallet_id: UUID,
    owner_id: UUID | None,
    actor: str,
    call: KeyedCall,
    label: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Answer:
    """Change a wallet's label or metadata; None leaves one as it is. Refuses with NotFound and WalletClosed."""

    def effect() -> Answer:
        wallet = lock_wallet(wallet_id, owner_id=owner_id)
        if wallet.status == WalletStatus.CLOSED:
            raise WalletClosed
        before = {"label": wallet.label, "metadata": wallet.metadata}
        if label is not None:
            wallet.label = label
        if metadata is not None:
            wallet.metadata_json = orjson.dumps(metadata).decode()
        _write(wallet)
        after = {"label": wallet.label, "metadata": wallet.metadata}
        _trace(wallet, actor=actor, event="wallet.updated", before=before, after=after)
        return store(call, wallet)

    return once(call, effect)


def suspend_wallet(
    *, wallet_id: UUID, actor: str, reason: str, call: KeyedCall, expires_at: datetime | None = None
) -> Answer:
    """Keep a wallet from new movements, until `expires_at` or until somebody reactivates it.

    What is under way still posts. Suspending again replaces reason and expiry. Refuses with NotFound,
    WalletClosed, and InvalidInput for an expiry in the past.
    """

    def effect() -> Answer:
        wallet = lock_wallet(wallet_id, owner_id=None)
        if wallet.status == WalletStatus.CLOSED:
            raise WalletClosed
        if expires_at is not None and expires_at <= now():
            raise InvalidInput("The suspension would end in the past.", field="expires_at")
        return _change_status(
            wallet, WalletStatus.SUSPENDED, "wallet.suspended", actor, reason, call, until=expires_at
        )

    return once(call, effect)


def suspend_locked(wallet: LockedWallet, *, actor: str, reason: str) -> None:
    """Suspend a wallet under its lock, in the transaction under way, until somebody reactivates it; not a closed one."""
    if wallet.status != WalletStatus.CLOSED:
        _set_status(wallet, WalletStatus.SUSPENDED, "wallet.suspended", actor, reason)


def reactivate_wallet(*, wallet_id: UUID, actor: str, reason: str, call: KeyedCall) -> Answer:
    """Let a suspended wallet move money again; an active one stays so. Refuses with NotFound and WalletClosed."""

    def effect() -> Answer:
        wallet = lock_wallet(wallet_id, owner_id=None)
        if wallet.status == WalletStatus.CLOSED:
            raise WalletClosed
        return _change_status(wallet, WalletStatus.ACTIVE, "wallet.reactivated", actor, reason, call)

    return once(call, effect)


def close_wallet(
    *, wallet_id: UUID, owner_id: UUID | None, actor: str, reason: str, call: KeyedCall
) -> Answer:
    """Close a wallet for good. Refuses with NotFound, WalletClosed, WalletNotEmpty, and, for its owner,
    WalletSuspended: a suspension is not left by closing."""

    def effect() -> Answer:
        wallet = lock_wallet(wallet_id, owner_id=owner_id)
        if owner_id is not None:
            wallet.require_active()
        elif wallet.status == WalletStatus.CLOSED:
            raise WalletClosed
        if wallet.balance or wallet.held or has_unfinished(wallet.id):
            raise WalletNotEmpty
        return _change_status(wallet, WalletStatus.CLOSED, "wallet.closed", actor, reason, call)

    return once(call, effect)


def end_due_suspensions(*, wallet_id: UUID | None = None, limit: int = 100) -> int:
    """Write down the suspensions that have run out, of one wallet or of all, at most `limit`; tell how many.

    Nobody waits for it: a wallet counts as active from the moment of its expiry.
    """
    due = run(
        "SELECT id FROM wallets_wallet WHERE status = 'suspended' AND suspended_until <= %s"
        " AND (%s::uuid IS NULL OR id = %s) ORDER BY suspended_until LIMIT %s",
        (now(), wallet_id, wallet_id, limit),
    )
    ended = 0
    for (due_id,) in due:
        with transaction.atomic():
            wallet = lock_wallet(due_id, owner_id=None)
            if wallet.stored_status == WalletStatus.SUSPENDED and wallet.status == WalletStatus.ACTIVE:
                _set_status(wallet, WalletStatus.ACTIVE, "wallet.reactivated", "system", "expired")
                ended += 1
    return ended


def _change_status(
    wallet: LockedWallet,
    status: WalletStatus,
    event: str,
    actor: str,
    reason: str,
    call: KeyedCall,
    *,
    until: datetime | None = None,
) -> Answer:
    _set_status(wallet, status, event, actor, reason, until=until)
    return store(call, wallet)


def _set_status(
    wallet: LockedWallet,
    status: WalletStatus,
    event: str,
    actor: str,
    reason: str,
    *,
    until: datetime | None = None,
) -> None:
    from_state = wallet.stored_status
    wallet.stored_status = status.value
    wallet.suspended_until = until
    _write(wallet, reason=reason)
    _trace(wallet, actor=actor, event=event, from_state=from_state, to_state=status.value, reason=reason)


def _write(wallet: LockedWallet, *, reason: str | None = None) -> None:
    wallet.updated_at = now()
    run(
        "WITH a AS (UPDATE transactions_ledgeraccount SET version = version + 1 WHERE id = %s)"
        " UPDATE wallets_wallet SET status = %s, status_reason = coalesce(%s::text, status_reason),"
        " suspended_until = %s, label = %s, metadata = %s::jsonb, updated_at = %s WHERE id = %s",
        (
            wallet.id,
            wallet.stored_status,
            reason,
            wallet.suspended_until,
            wallet.label,
            wallet.metadata_json,
            wallet.updated_at,
            wallet.id,
        ),
    )
    wallet.version += 1


def _trace(
    wallet: LockedWallet,
    *,
    actor: str,
    event: str,
    from_state: str = "",
    to_state: str = "",
    reason: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit.record(
        actor=actor,
        action=event,
        object_type="wallet",
        object_id=wallet.id,
        from_state=from_state,
        to_state=to_state,
        reason=reason,
        before=before,
        after=after,
    )
    outbox.record(event, cached_reads.as_shown(wallet) | {"reason": reason})
    cached_reads.replace_after_commit(wallet)
