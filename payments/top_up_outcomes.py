"""What becomes of a rule after an attempt: left alone for a while, tried again, or switched off, and who is told.

All of it under the rule's lock, in the transaction that decides it, so that each event is written once.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from events import audit, outbox
from payments.models import AutoTopUp, Payment, PaymentStatus
from payments.processors.contract import RetryClass
from payments.processors.declines import shown_code
from payments.refusals import ProcessorFailed
from payments.schedules import next_day_begins_at
from payments.top_up_rules import (
    BY_CLOCK,
    CARD_DECLINED,
    TOKEN_DELETED,
    WALLET_CLOSED,
    disable,
    save,
    zone_of,
)
from tokens.refusals import TokenDeleted, VaultFailed
from transactions.refusals import LimitExceeded, NotFound, Refusal
from wallets.refusals import WalletClosed, WalletSuspended

CHECK_AFTER_S: Final = 30
"""How long after an attempt whose outcome is unknown its payment is looked at again, in seconds."""

OUTAGE_S: Final = 900
"""How long after a provider failed, and charged nothing, the same attempt is made again, in seconds."""

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
BACKOFF: Final = {
    RetryClass.LATER: (_HOUR, 6 * _HOUR, _DAY, 3 * _DAY),
    RetryClass.ASK_CUSTOMER: (_DAY, 3 * _DAY, 7 * _DAY),
}
"""How long a declined card is left alone, by what the decline means and by how many came in a row."""

MISSED: Final = "occasion_missed"
SUSPENDED: Final = "wallet_suspended"
MONTHLY_LIMIT: Final = "monthly_limit"
DAILY_CAP: Final = "daily_cap"

THRESHOLD: Final = "threshold"
SCHEDULE: Final = "schedule"


def is_over(rule: AutoTopUp, payment: Payment, *, at: datetime) -> bool:
    """Write down what became of the attempt under way, once its payment has ended; whether it has."""
    if payment.is_under_way:
        rule.due_at = at + timedelta(seconds=CHECK_AFTER_S)
        save(rule)
        return False
    if payment.status == PaymentStatus.FAILED:
        _declined(rule, payment, at=at)
    else:
        _succeeded(rule, payment, at=at)
    return True


def put_off(rule: AutoTopUp, refusal: Refusal, *, at: datetime) -> None:
    """Write down that the attempt under way was refused before it charged anything."""
    if isinstance(refusal, TokenDeleted | NotFound | WalletClosed):
        disable(rule, WALLET_CLOSED if isinstance(refusal, WalletClosed) else TOKEN_DELETED)
        return
    if isinstance(refusal, LimitExceeded):
        # The wallet is as full as it may be: nothing of that changes by trying again soon.
        report(rule, refusal.code)
        end_occasion(rule, due_at=next_day_begins_at(at, zone_of(rule)))
    elif isinstance(refusal, WalletSuspended):
        rule.due_at = at
    else:
        is_outage = isinstance(refusal, ProcessorFailed | VaultFailed)
        rule.due_at = at + timedelta(seconds=OUTAGE_S if is_outage else CHECK_AFTER_S)
    save(rule)


def end_occasion(rule: AutoTopUp, *, due_at: datetime | None) -> None:
    """Be done with the occasion; look at the threshold, where there is one, at `due_at`."""
    rule.occasion, rule.attempt = "", 0
    rule.due_at = due_at if rule.is_live and rule.threshold is not None else None


def report(rule: AutoTopUp, reason: str, *, occasion: str = "", payment: Payment | None = None) -> None:
    """Tell that an occasion was not charged for, and why; `retry_at` where it will be tried again."""
    _tell("top_up.failed", rule, reason=reason, occasion=occasion or rule.occasion, payment=payment)


def trigger_of(occasion: str) -> str:
    """Tell what made an occasion: the threshold or the schedule."""
    return occasion.partition(":")[0]


def _succeeded(rule: AutoTopUp, payment: Payment, *, at: datetime) -> None:
    rule.failures = 0
    rule.cooldown_until = at + timedelta(seconds=settings.AUTO_TOP_UP_COOLDOWN_S)
    _tell("top_up.succeeded", rule, reason="", occasion=rule.occasion, payment=payment)
    # What was spent meanwhile, or is still lacking, is looked at once the wallet may be charged for again.
    end_occasion(rule, due_at=rule.cooldown_until)
    save(rule)


def _declined(rule: AutoTopUp, payment: Payment, *, at: datetime) -> None:
    rule.failures += 1
    waits = BACKOFF.get(RetryClass(payment.decline_class or RetryClass.ASK_CUSTOMER), ())
    is_last = not waits or rule.failures >= settings.AUTO_TOP_UP_DISABLE_AFTER
    if not is_last:
        rule.cooldown_until = at + waits[min(rule.failures, len(waits)) - 1]
    rule.due_at = None if is_last else rule.cooldown_until
    report(rule, shown_code(payment.decline_code) or payment.failure_code, payment=payment)
    if not rule.is_live:
        end_occasion(rule, due_at=None)
        save(rule)
    elif is_last:
        disable(rule, CARD_DECLINED)
    else:
        rule.attempt += 1
        save(rule)


def _tell(event: str, rule: AutoTopUp, *, reason: str, occasion: str, payment: Payment | None) -> None:
    amount = payment.amount if payment else rule.amount
    retry_at = rule.due_at if event == "top_up.failed" and payment and rule.is_live else None
    audit.record(
        actor=BY_CLOCK,
        action=event,
        object_type="auto_top_up",
        object_id=rule.wallet_id,
        reason=reason,
        after={
            "occasion": occasion,
            "payment_id": payment.id if payment else None,
            "amount": amount,
            "currency": rule.wallet.currency,
            "failures": rule.failures,
            "retry_at": retry_at,
        },
    )
    outbox.record(
        event,
        {
            "wallet_id": rule.wallet_id,
            "user_id": rule.wallet.user_id,
            "payment_id": payment.id if payment else None,
            "transaction_id": payment.transaction_id if payment else None,
            "amount": amount,
            "currency": rule.wallet.currency,
            "token_id": payment.token_id if payment else rule.token_id,
            "trigger": trigger_of(occasion),
            "occasion": occasion,
            "reason": reason or None,
            "failures": rule.failures,
            "retry_at": retry_at,
        },
    )
