"""Many transfers in one call: all or none, or each on its own with a result for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from events.clock import now
from transactions import bulk
from transactions.bulk import BulkTransfer
from transactions.idempotency import Answer, KeyedCall, once
from transactions.money import Money
from transactions.refusals import NotFound, Refusal
from wallets.locks import LockedWallet, lock_wallets
from wallets.refusals import BatchRefused
from wallets.transfers import require_transferable

LARGEST_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One transfer that is asked for: positive minor units from a wallet to another."""

    source_id: UUID
    target_id: UUID
    amount: Money
    description: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of each item, in order: the transfer's id, or the code of its refusal."""

    transfer_ids: list[str | None]
    codes: list[str | None]


def transfer_batch(
    *, items: Sequence[BatchItem], is_atomic: bool, owner_id: UUID | None, actor: str, call: KeyedCall
) -> Answer:
    """Make up to 10,000 transfers in their order, once for the call's key.

    Each item sees the balances that those before it left. With `is_atomic` one refusal refuses the whole batch;
    otherwise each stands for itself. `call.render` is given a BatchResult.

    Refuses with BatchRefused, whose `extra` lists the code of each item, and as `idempotency.once` does.
    """

    def effect() -> Answer:
        wallets = lock_wallets(
            {wallet_id for item in items for wallet_id in (item.source_id, item.target_id)}
        )
        at = now()
        posted: list[BulkTransfer] = []
        result = BatchResult([None] * len(items), [None] * len(items))
        for index, item in enumerate(items):
            try:
                taken = _take(item, wallets, owner_id=owner_id, at=at)
            except Refusal as refusal:
                result.codes[index] = refusal.code
            else:
                posted.append(taken)
                result.transfer_ids[index] = taken.id
        if is_atomic and len(posted) < len(items):
            refused = [(index, code) for index, code in enumerate(result.codes) if code is not None]
            raise BatchRefused(refused)
        return bulk.post_all(posted, actor=actor, at=at, call=call, result=result)

    return once(call, effect)


def _take(
    item: BatchItem, wallets: dict[UUID, LockedWallet], *, owner_id: UUID | None, at: Any
) -> BulkTransfer:
    source, target = wallets.get(item.source_id), wallets.get(item.target_id)
    if source is None or target is None:
        raise NotFound
    counted = (
        source.outflow_day,
        source.outflow_day_amount,
        source.outflow_month,
        source.outflow_month_amount,
    )
    try:
        require_transferable(source, target, item.amount, owner_id=owner_id)
        return bulk.take_transfer(
            source, target, item.amount.amount, at=at, description=item.description, metadata=item.metadata
        )
    except Refusal:
        # A refused item counts against no limit: the next one may still fit.
        (
            source.outflow_day,
            source.outflow_day_amount,
            source.outflow_month,
            source.outflow_month_amount,
        ) = counted
        raise
