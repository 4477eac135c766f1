"""Moving a sandbox's time: from one moment at which something falls due to the next, as if it had passed.

Each thing falls due at its own moment and in its order: three monthly top-ups make three charges, each dated on its
day. A move that meets too many such moments goes the rest of the way at once; what was due meanwhile then catches up
as it does after an outage.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db.models import Min, Model
from uuid_utils.compat import uuid7

from events import audit, clock, context, notifications, webhooks
from events.models import AuditEntry, DeliveryStatus, Notification, WebhookDelivery
from payments.auto_topups import sweep_due_top_ups, sweep_overlooked_top_ups
from payments.models import AutoTopUp, Payment, PaymentSession, ProviderEvent, Refund, SessionStatus
from payments.reconciliation import sweep_due_payments
from payments.refund_execution import execute_due_refunds
from payments.refund_rechecks import recheck_due_refunds
from payments.sandbox_provider import deliver_sandbox_webhooks
from payments.sessions import expire_due_sessions
from payments.webhooks import sweep_due_events
from transactions.models import Hold, HoldStatus
from transactions.refusals import InvalidInput, NotFound
from wallets.freed_holds import expire_due_holds
from wallets.lifecycle import end_due_suspensions
from wallets.models import Wallet, WalletStatus
from wallets.queries import may_see

FURTHEST_AHEAD: Final = timedelta(days=20 * 366)
"""How far a clock may run ahead of the machine's."""

MOST_STEPS: Final = 500
STEPS_LAST_S: Final = 20
WEBHOOKS_LAST_S: Final = 3
ROUNDS: Final = 20
AT_ONCE: Final = 100
MOST_LISTED: Final = 1000

_RIGHT_AFTER: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Falling:
    """Where the moments stand at which one kind of thing falls due; without a `wallet` it is nobody's in particular."""

    model: type[Model]
    moment: str
    wallet: str = ""
    status: str = ""

    def next_at(self, wallet_id: UUID | None, *, after: datetime) -> datetime | None:
        """Tell the next moment after another one at which one falls due, a wallet's or anybody's."""
        rows = self.model._default_manager.filter(**{f"{self.moment}__gt": after})
        if self.status:
            rows = rows.filter(status=self.status)
        if wallet_id is not None:
            rows = rows.filter(**{self.wallet: wallet_id}) if self.wallet else rows.none()
        found: datetime | None = rows.aggregate(at=Min(self.moment))["at"]
        return found


FALLING_DUE: Final = (
    Falling(Wallet, "suspended_until", "account_id", WalletStatus.SUSPENDED.value),
    Falling(Hold, "expires_at", "account_id", HoldStatus.OPEN.value),
    Falling(PaymentSession, "expires_at", "wallet_id", SessionStatus.OPEN.value),
    Falling(Payment, "due_at", "wallet_id"),
    Falling(Refund, "due_at", "wallet_id"),
    Falling(Refund, "recheck_at", "wallet_id"),
    Falling(ProviderEvent, "due_at"),
    Falling(Notification, "due_at", status="pending"),
    Falling(WebhookDelivery, "due_at", "wallet_id", DeliveryStatus.PENDING.value),
    Falling(AutoTopUp, "due_at", "wallet_id"),
    Falling(AutoTopUp, "next_run_at", "wallet_id"),
)

SWEEPS: Final[tuple[Callable[..., int], ...]] = (
    end_due_suspensions,
    expire_due_holds,
    expire_due_sessions,
    sweep_due_payments,
    execute_due_refunds,
    recheck_due_refunds,
    sweep_due_top_ups,
    sweep_overlooked_top_ups,
)
"""What does the things that are due, a wallet's or everybody's, and tells how many it did."""

SWEEPS_OF_ALL: Final[tuple[Callable[..., int], ...]] = (
    deliver_sandbox_webhooks,
    sweep_due_events,
    notifications.send_due,
)
"""What does the things that are nobody's in particular."""


def time_now(*, wallet_id: UUID | None) -> dict[str, Any]:
    """Tell which time it is, everybody's or a wallet's, as the API shows it. Refuses with NotFound."""
    _require_wallet(wallet_id)
    at = _now(wallet_id)
    return {"now": at, "wallet_id": wallet_id, "ahead_s": round((at - datetime.now(UTC)).total_seconds())}


def move_clock(
    *, advance: timedelta | None, to: datetime | None, wallet_id: UUID | None, actor: str
) -> dict[str, Any]:
    """Move time forward, by a span or to a moment, for all or for a wallet, and do what falls due on the way.

    Tells the new time and, in `ran`, what happened, the oldest first and webhooks last, as the API shows it. Answers once every
    process goes by the new time. Refuses with NotFound, and with InvalidInput what would take time back or too far.
    """
    _require_wallet(wallet_id)
    began = _now(wallet_id)
    target = to if to is not None else began + (advance or timedelta())
    field = "advance_s" if to is None else "now"
    if target < began:
        raise InvalidInput("Time never goes back.", field=field)
    if target > datetime.now(UTC) + FURTHEST_AHEAD:
        raise InvalidInput("A clock may run ahead by twenty years at the most.", field=field)
    first_entry, unsent = uuid7(), _unsent(wallet_id)
    _pass_time(target, wallet_id=wallet_id)
    audit.record(
        actor=actor,
        action="clock.moved",
        object_type="clock",
        object_id=wallet_id or clock.EVERYBODY,
        before={"now": began.isoformat()},
        after={"now": target.isoformat()},
    )
    ran = _what_ran(since=first_entry, wallet_id=wallet_id) + _what_was_sent_again(unsent)
    time.sleep(clock.AGREED_WITHIN_S)
    return {**time_now(wallet_id=wallet_id), "ran": ran}


def _pass_time(target: datetime, *, wallet_id: UUID | None) -> None:
    until_s = time.monotonic() + STEPS_LAST_S
    here = _now(wallet_id)
    _run_due(wallet_id)
    for _ in range(MOST_STEPS):
        moments = [kind.next_at(wallet_id, after=here) for kind in FALLING_DUE]
        moment = min((at for at in moments if at is not None), default=target)
        if moment >= target or time.monotonic() > until_s:
            break
        # What is due at a moment is due right after it.
        here = moment + _RIGHT_AFTER
        clock.set_ahead(to=here, wallet_id=wallet_id)
        _run_due(wallet_id)
    clock.set_ahead(to=target, wallet_id=wallet_id)
    _run_due(wallet_id)


def _run_due(wallet_id: UUID | None) -> None:
    """Do what is due by now: a wallet's by its own time, or everybody's and then that of each wallet ahead."""
    if wallet_id is None:
        for sweep in SWEEPS_OF_ALL:
            _repeat(sweep)
        for one in clock.times():
            _sweep(one)
    else:
        with clock.time_of(wallet_id):
            _sweep(wallet_id)
    webhooks.send_due(budget_s=WEBHOOKS_LAST_S)


def _sweep(wallet_id: UUID | None) -> None:
    for sweep in SWEEPS:
        _repeat(partial(sweep, wallet_id=wallet_id))


def _repeat(sweep: Callable[..., int]) -> None:
    """Sweep until less is done than might be; what stays due in spite of it is left alone."""
    for _ in range(ROUNDS):
        if sweep(limit=AT_ONCE) < AT_ONCE:
            return


def _what_ran(*, since: UUID, wallet_id: UUID | None) -> list[dict[str, Any]]:
    """List what the system has done since: whoever did it, or, for a wallet, what this call did."""
    entries = AuditEntry.objects.filter(id__gt=since, actor__startswith="system").order_by("id")
    if wallet_id is not None:
        entries = entries.filter(request_id=context.current().request_id)
    return [
        {
            "at": entry.at,
            "action": entry.action,
            "object_type": entry.object_type,
            "object_id": entry.object_id,
            "from_state": entry.from_state or None,
            "to_state": entry.to_state or None,
            "reason": entry.reason or None,
        }
        for entry in entries
    ]


def _unsent(wallet_id: UUID | None) -> dict[UUID, int]:
    """Tell which webhooks are to be sent again, and how often they were sent."""
    waiting = WebhookDelivery.objects.filter(status=DeliveryStatus.PENDING, attempts__gt=0)
    if wallet_id is not None:
        waiting = waiting.filter(wallet_id=wallet_id)
    return dict(waiting.values_list("id", "attempts")[:MOST_LISTED])


def _what_was_sent_again(unsent: dict[UUID, int]) -> list[dict[str, Any]]:
    """List those of them that have been."""
    now_sent = WebhookDelivery.objects.filter(id__in=list(unsent)).order_by("id")
    return [
        {
            "at": sent.log[-1]["at"],
            "action": "webhook.sent_again",
            "object_type": "webhook_delivery",
            "object_id": str(sent.id),
            "from_state": DeliveryStatus.PENDING,
            "to_state": sent.status,
            "reason": sent.log[-1]["error"],
        }
        for sent in now_sent
        if sent.attempts > unsent[sent.id]
    ]


def _now(wallet_id: UUID | None) -> datetime:
    return clock.now() if wallet_id is None else clock.now_of(wallet_id)


def _require_wallet(wallet_id: UUID | None) -> None:
    if wallet_id is not None and not may_see(wallet_id, owner_id=None):
        raise NotFound("There is no such wallet.", field="wallet_id")
