"""What a rule charges for: the occasion that is due, and whether the rule's limits leave room for it now.

A scheduled occasion that was missed, because nothing ran when its day came, is made up for until the next one has
begun. Of several that were missed the latest is charged for, and every other one is reported as missed: a customer
is not charged four times on the morning after an outage, and nothing is left out in silence.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from uuid_utils.compat import uuid7

from payments.models import AutoTopUp
from payments.queries import topped_up_since
from payments.schedules import (
    begins_at,
    local_day,
    month_begins_at,
    next_day_begins_at,
    next_month_begins_at,
    occasions_begun,
    schedule_of,
)
from payments.top_up_outcomes import (
    DAILY_CAP,
    MISSED,
    MONTHLY_LIMIT,
    SCHEDULE,
    SUSPENDED,
    THRESHOLD,
    end_occasion,
    report,
    trigger_of,
)
from payments.top_up_rules import BY_CLOCK, zone_of
from transactions.idempotency import Answer, KeyedCall
from transactions.money import Money
from wallets.locks import LockedWallet
from wallets.models import WalletStatus


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one occasion: what is charged, and the key that makes it happen once."""

    wallet_id: UUID
    occasion: str
    number: int
    amount: Money
    token_id: UUID

    @property
    def call(self) -> KeyedCall:
        """The call under the attempt's own key."""
        return KeyedCall(
            principal=BY_CLOCK,
            key=key_of(self.wallet_id, occasion=self.occasion, number=self.number),
            fingerprint=b"auto-top-up",
            render=lambda _payment: Answer(200, b""),
        )


def key_of(wallet_id: UUID, *, occasion: str, number: int) -> str:
    """Name an attempt for ever: one key, one charge."""
    return f"{wallet_id}:{occasion}:{number}"


def is_low(rule: AutoTopUp, wallet: LockedWallet) -> bool:
    """Tell whether less is available than the rule's threshold."""
    return rule.threshold is not None and wallet.available < rule.threshold


def name_occasion(rule: AutoTopUp, wallet: LockedWallet, *, at: datetime) -> None:
    """Name the occasion that is due on a locked rule, if any: a begun day of the schedule goes before the threshold."""
    schedule = schedule_of(rule.schedule)
    begun = []
    if schedule is not None and rule.next_run_on is not None:
        begun = occasions_begun(schedule, rule.next_run_on, at=at, zone=zone_of(rule))
    if schedule is not None and begun:
        *missed, latest = begun
        for day in missed:
            report(rule, MISSED, occasion=f"{SCHEDULE}:{day}")
        rule.next_run_on = schedule.after(latest)
        rule.occasion, rule.attempt = f"{SCHEDULE}:{latest}", 1
        rule.due_at = at
    elif trigger_of(rule.occasion) == SCHEDULE:
        pass  # it is tried again
    elif not is_low(rule, wallet):
        end_occasion(rule, due_at=None)
    elif not rule.occasion:
        rule.occasion, rule.attempt = f"{THRESHOLD}:{uuid7()}", 1
        rule.due_at = at
    if rule.occasion and wallet.status == WalletStatus.SUSPENDED:
        if trigger_of(rule.occasion) == SCHEDULE:
            report(rule, SUSPENDED)
        end_occasion(rule, due_at=None)


def may_charge_now(rule: AutoTopUp, *, at: datetime) -> bool:
    """Tell whether the occasion named on a locked rule may be charged for at once; if not, put it off or end it."""
    zone = zone_of(rule)
    is_scheduled = trigger_of(rule.occasion) == SCHEDULE
    if rule.cooldown_until is not None and rule.cooldown_until > at:
        _keep_until(rule, rule.cooldown_until, is_scheduled=is_scheduled)
        return False
    if rule.monthly_limit is not None:
        this_month = topped_up_since(wallet_id=rule.wallet_id, since=month_begins_at(at, zone))
        if this_month.amount + rule.amount > rule.monthly_limit:
            report(rule, MONTHLY_LIMIT)
            end_occasion(rule, due_at=next_month_begins_at(at, zone))
            return False
    today = topped_up_since(wallet_id=rule.wallet_id, since=begins_at(local_day(at, zone), zone))
    if today.times >= settings.AUTO_TOP_UP_DAILY_CAP:
        report(rule, DAILY_CAP)
        _keep_until(rule, next_day_begins_at(at, zone), is_scheduled=is_scheduled)
        return False
    return True


def _keep_until(rule: AutoTopUp, until: datetime, *, is_scheduled: bool) -> None:
    """Put an occasion off; one of the threshold is named anew then, if the wallet is still low."""
    if is_scheduled:
        rule.due_at = until
    else:
        end_occasion(rule, due_at=until)
