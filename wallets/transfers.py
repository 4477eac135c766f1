"""Money that a customer moves: to another wallet, or to the merchant."""

from typing import Any
from uuid import UUID

from transactions import chart, ledger
from transactions.idempotency import Answer, KeyedCall
from transactions.models import LineType, TransferKind
from transactions.money import Money
from transactions.movements import Entry, Movement
from transactions.refusals import CurrencyMismatch, LimitExceeded, NotFound
from wallets.freed_holds import spend
from wallets.limits import count_outflow, require_room
from wallets.locks import LockedWallet, lock_wallet, lock_wallets
from wallets.models import WalletStatus
from wallets.refusals import SameWallet, TargetUnavailable


def transfer(
    *,
    source_id: UUID,
    target_id: UUID,
    amount: Money,
    owner_id: UUID | None,
    actor: str,
    call: KeyedCall,
    description: str = "",
    metadata: dict[str, Any] | None = None,
) -> Answer:
    """Move money from one wallet to another, once for the call's key.

    `amount` is positive minor units in the source's currency; `owner_id` must own the source, None may move
    anybody's. `call.render` is given the Movement, whose first line is the source's.

    Refuses with NotFound, WalletSuspended, WalletClosed, SameWallet, CurrencyMismatch, TargetUnavailable,
    LimitExceeded and InsufficientFunds, in that order, and as `idempotency.once` does.
    """

    def effect() -> Answer:
        wallets = lock_wallets({source_id, target_id})
        source, target = wallets.get(source_id), wallets.get(target_id)
        if source is None or target is None:
            raise NotFound
        require_transferable(source, target, amount, owner_id=owner_id)
        movement = Movement(
            kind=TransferKind.TRANSFER, actor=actor, description=description, metadata=metadata or {}
        )
        entries = [
            Entry(source, -amount.amount, LineType.TRANSFER_OUT),
            Entry(target, amount.amount, LineType.TRANSFER_IN),
        ]
        return ledger.post(movement, entries, call=call).stored_answer

    return spend(call, effect, wallet_id=source_id)


def require_transferable(
    source: LockedWallet, target: LockedWallet, amount: Money, *, owner_id: UUID | None
) -> None:
    """Refuse as `transfer` does what may not go from one locked wallet to the other, and count the outflow.

    Whether the source's money suffices is for the ledger to say.
    """
    source.require_owner(owner_id)
    source.require_active()
    if source is target:
        raise SameWallet
    _require_currency(source, amount)
    _require_able_to_receive(target, amount)
    count_outflow(source, amount.amount)


def pay(
    *,
    wallet_id: UUID,
    amount: Money,
    owner_id: UUID | None,
    actor: str,
    call: KeyedCall,
    description: str = "",
    reference: str = "",
    metadata: dict[str, Any] | None = None,
) -> Answer:
    """Spend from a wallet to the merchant's account, once for the call's key.

    `amount` is positive minor units in the wallet's currency. `call.render` is given the Movement, whose first
    line is the wallet's.

    Refuses with NotFound, WalletSuspended, WalletClosed, CurrencyMismatch, LimitExceeded and InsufficientFunds,
    in that order, and as `idempotency.once` does.
    """

    def effect() -> Answer:
        wallet = lock_wallet(wallet_id, owner_id=owner_id)
        wallet.require_active()
        _require_currency(wallet, amount)
        count_outflow(wallet, amount.amount)
        movement = Movement(
            kind=TransferKind.PAYMENT,
            actor=actor,
            description=description,
            reference=reference,
            metadata=metadata or {},
        )
        entries = [
            Entry(wallet, -amount.amount, LineType.PAYMENT),
            Entry(chart.merchant(currency=amount.currency), amount.amount, LineType.PAYMENT),
        ]
        return ledger.post(movement, entries, call=call).stored_answer

    return spend(call, effect, wallet_id=wallet_id)


def _require_currency(wallet: LockedWallet, amount: Money) -> None:
    if amount.currency != wallet.currency:
        raise CurrencyMismatch


def _require_able_to_receive(target: LockedWallet, amount: Money) -> None:
    if target.status != WalletStatus.ACTIVE or target.currency != amount.currency:
        raise TargetUnavailable
    try:
        require_room(target, amount.amount)
    except LimitExceeded as full:
        raise TargetUnavailable from full
