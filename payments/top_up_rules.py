"""A top-up rule's life: agreed to by the wallet's owner, paused, resumed, switched off, removed.

What it charges for, and when, is decided in `payments.auto_topups`. Locks: the rule, then the wallet, the key last.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from events import audit, outbox
from events.clock import now
from payments.models import AutoTopUp, Payment
from payments.processors.contract import RetryClass
from payments.schedules import Schedule, begins_at, local_day, schedule_of
from tokens.models import DELETED, PaymentToken
from tokens.queries import token_within
from transactions.idempotency import Answer, KeyedCall, once, store
from transactions.money import Money
from transactions.refusals import InvalidInput, NotFound
from wallets.locks import lock_wallet
from wallets.low_marks import set_low_mark
from wallets.models import Wallet, WalletStatus
from wallets.queries import may_see
from wallets.refusals import WalletClosed
from wallets.statements import zone_named

BY_CLOCK: Final = "system:auto-top-up"

CARD_REMOVED: Final = "card_removed"
CARD_DECLINED: Final = "card_declined"
TOKEN_DELETED: Final = "token_deleted"  # noqa: S105 - a reason, no secret
WALLET_CLOSED: Final = "wallet_closed"
CUSTOMER_DEACTIVATED: Final = "customer_deactivated"
SWITCHED_OFF_BY_STAFF: Final = "switched_off_by_staff"

_WITH_OWNER = ("token", "wallet__user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a rule says, in minor units of the wallet's currency; a threshold, a schedule, or both."""

    is_enabled: bool
    threshold: int | None
    amount: int
    token_id: UUID
    monthly_limit: int | None
    schedule: Schedule | None


class _WrittenMeanwhile(Exception):
    """Another call has written the wallet's first rule since this one looked: there is a row to lock now."""


def set_rule(*, wallet_id: UUID, owner_id: UUID | None, terms: Terms, actor: str, call: KeyedCall) -> Answer:
    """Write or replace a wallet's rule, with the consent of whoever calls; `call.render` is given the AutoTopUp.

    What was declined before counts no more. An occasion of the schedule that has begun is still charged for when
    the schedule stays. Refuses with NotFound, WalletClosed, TokenDeleted and InvalidInput, in that order, and as
    `idempotency.once` does.
    """

    def effect() -> Answer:
        rule = lock_rule(wallet_id)
        wallet = lock_wallet(wallet_id, owner_id=owner_id)
        if wallet.status == WalletStatus.CLOSED:
            raise WalletClosed
        token = token_within(token_id=terms.token_id, owner_id=wallet.user_id)
        _require_chargeable(terms, token)
        at = now()
        before = None if rule is None or rule.removed_at else as_shown(rule)
        if rule is None:
            if AutoTopUp.objects.filter(wallet_id=wallet_id).exists():
                raise _WrittenMeanwhile
            owned = Wallet.objects.select_related("user").get(pk=wallet_id)
            rule = AutoTopUp(wallet=owned, created_at=at)
        if not (rule.is_live and schedule_of(rule.schedule) == terms.schedule):
            rule.next_run_on = None
        rule.is_paused = rule.is_paused and rule.removed_at is None
        rule.is_enabled, rule.disabled_reason, rule.removed_at = terms.is_enabled, "", None
        rule.token, rule.amount, rule.monthly_limit = token, terms.amount, terms.monthly_limit
        rule.threshold = terms.threshold
        rule.schedule = terms.schedule.as_shown() if terms.schedule else None
        rule.failures, rule.cooldown_until = 0, None
        rule.consent_text, rule.consent_at = _consent(terms, token, wallet.currency), at
        start(rule, at=at)
        _trace(rule, "auto_top_up.set", actor=actor, before=before, after=as_shown(rule))
        return store(call, rule)

    try:
        return once(call, effect)
    except _WrittenMeanwhile:
        return once(call, effect)


def pause_rule(
    *, wallet_id: UUID, owner_id: UUID | None, actor: str, call: KeyedCall, reason: str = ""
) -> Answer:
    """Let a rule charge nothing until it is resumed; `call.render` is given the AutoTopUp. Idempotent.

    What is under way ends as it ends; `reason` is for the audit trail. Refuses with NotFound.
    """

    def effect() -> Answer:
        rule = _locked_of(wallet_id, owner_id)
        if not rule.is_paused:
            rule.is_paused = True
            stop(rule)
            _trace(rule, "auto_top_up.paused", actor=actor, reason=reason)
        return store(call, rule)

    return once(call, effect)


def resume_rule(*, wallet_id: UUID, owner_id: UUID | None, actor: str, call: KeyedCall) -> Answer:
    """Let a paused rule charge again; `call.render` is given the AutoTopUp. Idempotent.

    The schedule goes on with its next occasion: those of the pause are passed over. Refuses with NotFound.
    """

    def effect() -> Answer:
        rule = _locked_of(wallet_id, owner_id)
        if rule.is_paused:
            rule.is_paused = False
            start(rule, at=now())
            _trace(rule, "auto_top_up.resumed", actor=actor)
        return store(call, rule)

    return once(call, effect)


def remove_rule(*, wallet_id: UUID, owner_id: UUID | None, actor: str, call: KeyedCall) -> Answer:
    """Remove a rule; `call.render` is given the AutoTopUp. What is under way ends as it ends.

    Its row stays, with the consent that charges were made by. Refuses with NotFound.
    """

    def effect() -> Answer:
        rule = _locked_of(wallet_id, owner_id)
        rule.is_enabled, rule.removed_at = False, now()
        stop(rule)
        _trace(rule, "auto_top_up.removed", actor=actor)
        return store(call, rule)

    return once(call, effect)


def switch_off_rule(*, wallet_id: UUID, actor: str, reason: str, call: KeyedCall) -> Answer:
    """Switch a customer's rule off for a reason, by staff; `call.render` is given the AutoTopUp. Idempotent.

    The customer is told, and may switch it on again; what is under way ends as it ends. Refuses with NotFound.
    """

    def effect() -> Answer:
        rule = _locked_of(wallet_id, None)
        if rule.is_enabled:
            _switch_off(rule, SWITCHED_OFF_BY_STAFF, actor=actor, because=reason)
        return store(call, rule)

    return once(call, effect)


def rule_of_wallet(*, wallet_id: UUID, owner_id: UUID | None) -> AutoTopUp:
    """Read a wallet's rule without locking it: for showing, never for deciding. Refuses with NotFound."""
    rule = AutoTopUp.objects.select_related(*_WITH_OWNER).filter(wallet_id=wallet_id, removed_at=None).first()
    if rule is None or not may_see(wallet_id, owner_id=owner_id):
        raise NotFound
    return rule


def lock_rule(wallet_id: UUID) -> AutoTopUp | None:
    """Lock a wallet's rule, also one that was removed, before anything else of the wallet."""
    rules = AutoTopUp.objects.select_related(*_WITH_OWNER).select_for_update(of=("self",))
    return rules.filter(wallet_id=wallet_id).first()


def start(rule: AutoTopUp, *, at: datetime) -> None:
    """Have a locked rule looked at as soon as may be, and at the next occasion of its schedule."""
    if not rule.is_live:
        stop(rule)
        return
    schedule = schedule_of(rule.schedule)
    if schedule is not None and rule.next_run_on is None:
        rule.next_run_on = schedule.after(local_day(at, zone_of(rule)))
    # An attempt under way is looked after under its own key, whoever comes first.
    rule.due_at = at
    save(rule)


def stop(rule: AutoTopUp) -> None:
    """Have a locked rule looked at no more, but for what it has under way."""
    rule.next_run_on = None
    if not rule.occasion:
        rule.due_at = None
    save(rule)


def disable(rule: AutoTopUp, reason: str) -> None:
    """Switch a locked rule off for a reason that its owner is told of, with what it has under way."""
    rule.occasion, rule.attempt = "", 0
    _switch_off(rule, reason, actor=BY_CLOCK)


def stop_for_card(rule: AutoTopUp, *, actor: str) -> None:
    """Switch a locked rule off whose card its owner took off the wallet; what is under way ends as it ends."""
    _switch_off(rule, CARD_REMOVED, actor=actor)


def save(rule: AutoTopUp) -> None:
    """Write a locked rule, the moment at which its next occasion begins, and the mark on its wallet."""
    rule.next_run_at = begins_at(rule.next_run_on, zone_of(rule)) if rule.next_run_on else None
    rule.updated_at = now()
    rule.save()
    set_low_mark(wallet_id=rule.wallet_id, below=rule.threshold if rule.is_live else None)


def unfit_reason(rule: AutoTopUp) -> str:
    """Tell why a rule can't charge any more, whatever it says; nothing where it can."""
    if rule.wallet.status == WalletStatus.CLOSED:
        return WALLET_CLOSED
    if rule.token.status == DELETED:
        return TOKEN_DELETED
    return "" if rule.wallet.user.is_active else CUSTOMER_DEACTIVATED


def zone_of(rule: AutoTopUp) -> ZoneInfo:
    """Tell the time zone of the wallet's owner."""
    return zone_named(rule.wallet.user.time_zone)


def state_of(rule: AutoTopUp) -> str:
    """Tell how a rule stands, in one word: `removed`, `disabled`, `paused`, `failing` or `active`."""
    if rule.removed_at is not None:
        return "removed"
    if not rule.is_enabled:
        return "disabled"
    if rule.is_paused:
        return "paused"
    return "failing" if rule.failures else "active"


def next_look_at(rule: AutoTopUp) -> datetime | None:
    """Tell when a rule is looked at next, to try again or because its day has come; None where nothing is planned."""
    if not rule.is_live:
        return None
    return min((at for at in (rule.due_at, rule.next_run_at) if at is not None), default=None)


def as_shown(rule: AutoTopUp) -> dict[str, Any]:
    """Give the rule's fields as the API names them, as they stand now: a sweep may be late to switch a rule off."""
    unfit = unfit_reason(rule) if rule.is_enabled else ""
    is_on = rule.is_enabled and not unfit
    return {
        "wallet_id": rule.wallet_id,
        "enabled": is_on,
        "paused": rule.is_paused,
        "threshold": rule.threshold,
        "amount": rule.amount,
        "currency": rule.wallet.currency,
        "token_id": rule.token_id,
        "monthly_limit": rule.monthly_limit,
        "schedule": rule.schedule,
        "next_run_at": rule.next_run_at if is_on else None,
        "failures": rule.failures,
        "cooldown_until": rule.cooldown_until,
        "disabled_reason": rule.disabled_reason or unfit or None,
        "consent_text": rule.consent_text,
        "consent_at": rule.consent_at,
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
    }


def _switch_off(rule: AutoTopUp, reason: str, *, actor: str, because: str = "") -> None:
    """Switch a locked rule off; `because` is what a person has said, for the audit trail alone."""
    rule.is_enabled, rule.disabled_reason = False, reason
    stop(rule)
    facts = {"amount": rule.amount, "currency": rule.wallet.currency, "failures": rule.failures}
    _trace(
        rule,
        "auto_top_up.disabled",
        actor=actor,
        reason=reason,
        after={**facts, **({"because": because} if because else {})},
    )
    outbox.record("top_up.disabled", {**as_shown(rule), "user_id": rule.wallet.user_id, "reason": reason})


def _locked_of(wallet_id: UUID, owner_id: UUID | None) -> AutoTopUp:
    rule = lock_rule(wallet_id)
    if rule is None or rule.removed_at is not None or owner_id not in (None, rule.wallet.user_id):
        raise NotFound
    return rule


def _require_chargeable(terms: Terms, token: PaymentToken) -> None:
    if terms.monthly_limit is not None and terms.monthly_limit < terms.amount:
        raise InvalidInput("The limit of a month leaves no room for one top-up.", field="monthly_limit")
    if terms.is_enabled and Payment.objects.filter(token=token, decline_class=RetryClass.NEVER).exists():
        raise InvalidInput("This card may not be charged again. Choose another one.", field="token_id")


def _consent(terms: Terms, token: PaymentToken, currency: str) -> str:
    """Write what the customer agrees to, as it is kept."""
    occasions = []
    if terms.threshold is not None:
        occasions.append(f"whenever less than {Money(terms.threshold, currency)} is available in my wallet")
    if terms.schedule is not None:
        occasions.append(str(terms.schedule))
    limit = ""
    if terms.monthly_limit is not None:
        limit = f", at most {Money(terms.monthly_limit, currency)} in a calendar month"
    return (
        f"I agree that {Money(terms.amount, currency)} is charged to my {token.brand.capitalize()} card ending in {token.last4}"
        f" {' and '.join(occasions)}{limit}, until I switch this off."
    )


def _trace(
    rule: AutoTopUp,
    action: str,
    *,
    actor: str,
    reason: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="auto_top_up",
        object_id=rule.wallet_id,
        reason=reason,
        before=before,
        after=after,
    )
