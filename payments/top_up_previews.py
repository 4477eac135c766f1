"""What a rule would charge for in the coming days, as far as that can be told: nobody knows what will be spent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from events.clock import now
from payments.models import AutoTopUp
from payments.queries import topped_up_since
from payments.schedules import begins_at, month_begins_at, occasions_from, schedule_of
from payments.top_up_occasions import is_low
from payments.top_up_outcomes import MONTHLY_LIMIT, SCHEDULE, SUSPENDED, THRESHOLD, trigger_of
from payments.top_up_rules import rule_of_wallet, unfit_reason, zone_of
from tokens.models import EXPIRED
from transactions.refusals import NotFound
from wallets.locks import LockedWallet
from wallets.models import WalletStatus
from wallets.queries import wallet_by_id

SHOWN_DAYS: Final = 30

PAUSED: Final = "paused"
DISABLED: Final = "disabled"
CARD_EXPIRED: Final = "card_expired"


@dataclass(frozen=True, slots=True)
class Coming:
    """One occasion ahead: when, why, and on which day of the owner's calendar."""

    at: datetime
    trigger: str
    on: date


def preview_rule(*, wallet_id: UUID, owner_id: UUID | None) -> dict[str, Any]:
    """Tell what a wallet's rule would charge for in the next 30 days, in minor units, as the API shows it.

    An occasion that would not be charged for says why. The threshold is foreseen where the wallet is low now; what
    will be spent isn't. Refuses with NotFound.
    """
    rule = rule_of_wallet(wallet_id=wallet_id, owner_id=owner_id)
    wallet = wallet_by_id(wallet_id, owner_id=owner_id)
    if wallet is None:
        raise NotFound
    begins = now()
    ends = begins + timedelta(days=SHOWN_DAYS)
    coming = sorted(_coming(rule, wallet, begins=begins, ends=ends), key=lambda one: one.at)
    spent: dict[datetime, int] = {}
    occasions = []
    for one in coming:
        month = month_begins_at(one.at, zone_of(rule))
        if month not in spent:
            spent[month] = topped_up_since(wallet_id=wallet_id, since=month).amount
        reason = _obstacle(rule, wallet, one, spent[month])
        if not reason:
            spent[month] += rule.amount
        occasions.append(
            {
                "at": one.at,
                "on": one.on,
                "trigger": one.trigger,
                "amount": rule.amount,
                "currency": wallet.currency,
                "fires": not reason,
                "reason": reason or None,
            }
        )
    return {
        "wallet_id": wallet_id,
        "from": begins,
        "to": ends,
        "currency": wallet.currency,
        "total": sum(rule.amount for occasion in occasions if occasion["fires"]),
        "results": occasions,
    }


def _coming(rule: AutoTopUp, wallet: LockedWallet, *, begins: datetime, ends: datetime) -> Iterator[Coming]:
    zone = zone_of(rule)
    earliest = max(begins, rule.due_at or begins, rule.cooldown_until or begins)
    trigger = trigger_of(rule.occasion) or (THRESHOLD if is_low(rule, wallet) else "")
    if trigger and earliest < ends:
        yield Coming(earliest, trigger, earliest.astimezone(zone).date())
    schedule = schedule_of(rule.schedule)
    if schedule is None:
        return
    first = rule.next_run_on or schedule.after(begins.astimezone(zone).date())
    for day in occasions_from(schedule, first):
        at = begins_at(day, zone)
        if at >= ends:
            return
        yield Coming(max(at, begins), SCHEDULE, day)


def _obstacle(rule: AutoTopUp, wallet: LockedWallet, one: Coming, spent_in_month: int) -> str:
    """Tell what would keep an occasion from being charged for; nothing where nothing would."""
    if unfit := unfit_reason(rule):
        return unfit
    if not rule.is_enabled:
        return rule.disabled_reason or DISABLED
    if rule.is_paused:
        return PAUSED
    is_suspended = wallet.stored_status == WalletStatus.SUSPENDED
    if is_suspended and (wallet.suspended_until is None or wallet.suspended_until > one.at):
        return SUSPENDED
    if rule.token.status_at(one.at) == EXPIRED:
        return CARD_EXPIRED
    if rule.monthly_limit is not None and spent_in_month + rule.amount > rule.monthly_limit:
        return MONTHLY_LIMIT
    return ""
