"""What a wallet may hold and spend: its own limits where set, otherwise the installation's by currency.

Outflow is counted on the locked account row, so that sixteen racers can't each find room for the last one; a
sum read in the lock statement let six too many pass. Days and months are UTC's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from django.conf import settings

from events import audit, outbox
from events.clock import now
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.prepared import run
from transactions.refusals import InvalidInput, LimitExceeded
from wallets import cached_reads
from wallets.locks import LockedWallet, lock_wallet

LimitName = Literal["maximum_balance", "per_transaction", "daily_outflow", "monthly_outflow"]
LIMIT_NAMES: tuple[LimitName, ...] = (
    "maximum_balance",
    "per_transaction",
    "daily_outflow",
    "monthly_outflow",
)


def limit_of(wallet: LockedWallet, name: LimitName) -> int | None:
    """Tell one limit of the wallet in minor units: its own, the currency's default, or None."""
    return _limit(wallet, name, settings.DEFAULT_WALLET_LIMITS)


def _limit(wallet: LockedWallet, name: LimitName, installation: Mapping[str, dict[str, int]]) -> int | None:
    own: int | None = getattr(wallet, name)
    if own is not None:
        return own
    defaults = installation[name]
    return defaults.get(wallet.currency, defaults.get("*")) if defaults else None


def require_room(wallet: LockedWallet, amount: int) -> None:
    """Refuse with LimitExceeded when `amount` more would pass the wallet's maximum balance."""
    maximum = limit_of(wallet, "maximum_balance")
    if maximum is not None and wallet.balance + amount > maximum:
        raise LimitExceeded(extra={"limit": "maximum_balance"})


def count_outflow(wallet: LockedWallet, amount: int, *, at: datetime | None = None) -> None:
    """Count `amount` against the outflow limits; the ledger stores the counters with the movement.

    Refuses with LimitExceeded, naming the limit, and then leaves the counters alone.
    """
    today = (at or now()).date()
    if wallet.outflow_day is not None:
        # Another server's clock may be ahead of this one's: a day that has begun is never left again.
        today = max(today, wallet.outflow_day)
    month = today.replace(day=1)
    spent_today = wallet.outflow_day_amount if wallet.outflow_day == today else 0
    spent_this_month = wallet.outflow_month_amount if wallet.outflow_month == month else 0
    totals: tuple[tuple[LimitName, int], ...] = (
        ("per_transaction", amount),
        ("daily_outflow", spent_today + amount),
        ("monthly_outflow", spent_this_month + amount),
    )
    installation = settings.DEFAULT_WALLET_LIMITS
    for name, total in totals:
        limit = _limit(wallet, name, installation)
        if limit is not None and total > limit:
            raise LimitExceeded(extra={"limit": name})
    wallet.outflow_day, wallet.outflow_day_amount = today, spent_today + amount
    wallet.outflow_month, wallet.outflow_month_amount = month, spent_this_month + amount


def give_back_outflow(wallet: LockedWallet, amount: int, *, counted_at: datetime) -> None:
    """Count `amount` no longer, which was counted at that moment and has not left; only periods under way matter."""
    day = counted_at.astimezone(UTC).date()
    if wallet.outflow_day == day:
        wallet.outflow_day_amount -= amount
    if wallet.outflow_month == day.replace(day=1):
        wallet.outflow_month_amount -= amount


def limits_of(wallet: LockedWallet) -> dict[str, int | None]:
    """Tell all limits that hold for the wallet, in minor units, and its credit line."""
    limits: dict[str, int | None] = {name: limit_of(wallet, name) for name in LIMIT_NAMES}
    credit = -wallet.floor - wallet.receivable
    return {**limits, "credit": credit if credit > 0 else None}


def set_limits(
    *,
    wallet_id: UUID,
    actor: str,
    maximum_balance: int | None,
    per_transaction: int | None,
    daily_outflow: int | None,
    monthly_outflow: int | None,
    credit: int | None,
    call: KeyedCall,
) -> Answer:
    """Replace the wallet's own limits, in minor units; None falls back to the installation's, and to no credit.

    `call.render` is given the limits as `limits_of` tells them.

    Refuses with NotFound, and with InvalidInput when less credit is asked for than is in use.
    """

    def effect() -> Answer:
        wallet = lock_wallet(wallet_id, owner_id=None)
        before = limits_of(wallet)
        floor = -(credit or 0) - wallet.receivable
        if wallet.available < floor:
            raise InvalidInput("More credit than this is in use.", field="credit")
        wallet.maximum_balance = maximum_balance
        wallet.per_transaction = per_transaction
        wallet.daily_outflow = daily_outflow
        wallet.monthly_outflow = monthly_outflow
        wallet.updated_at = now()
        run(
            "WITH w AS (UPDATE wallets_wallet SET maximum_balance = %s, per_transaction = %s, daily_outflow = %s,"
            " monthly_outflow = %s, updated_at = %s WHERE id = %s)"
            " UPDATE transactions_ledgeraccount SET floor = %s, version = version + 1 WHERE id = %s",
            (
                maximum_balance,
                per_transaction,
                daily_outflow,
                monthly_outflow,
                wallet.updated_at,
                wallet.id,
                floor,
                wallet.id,
            ),
        )
        wallet.floor = floor
        wallet.version += 1
        after = limits_of(wallet)
        audit.record(
            actor=actor,
            action="wallet.limits_changed",
            object_type="wallet",
            object_id=wallet.id,
            before=before,
            after=after,
        )
        outbox.record("wallet.updated", cached_reads.as_shown(wallet) | {"limits": after})
        cached_reads.replace_after_commit(wallet)
        return store(call, after)

    return once(call, effect)
