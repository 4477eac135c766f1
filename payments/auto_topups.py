"""Topping wallets up by their rules: when a debit has left too little, and when the calendar says so.

One rule is attended to in three steps. The occasion is named and the rule leased, in one transaction; the charge
goes the way of every charge, under a key made of wallet, occasion and attempt; what became of it is written down in
another transaction. Whoever dies in between leaves a rule whose lease runs out: the next sweep finds the payment by
that key, so that no occasion is charged for twice and none is forgotten.
"""

import time
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from events.clock import now, time_of
from payments.models import AutoTopUp, Payment, PaymentKind
from payments.steps import Step, reached
from payments.top_up_occasions import Attempt, key_of, may_charge_now, name_occasion
from payments.top_up_outcomes import end_occasion, is_over, put_off
from payments.top_up_rules import BY_CLOCK, disable, lock_rule, save, unfit_reason
from payments.topups import top_up
from tokens.models import DELETED
from transactions.idempotency import resource_id, resource_of_key
from transactions.money import Money
from transactions.refusals import IdempotencyInProgress, Refusal
from wallets.locks import lock_wallet
from wallets.models import WalletStatus

LEASE_S: Final = 90
"""How long an attempt keeps its rule from others, in seconds: longer than a call to a processor can take."""

SWEEP_LASTS_S: Final = 60
"""How long one sweep goes on taking up rules, in seconds."""

log = structlog.get_logger()


def attend(*, wallet_id: UUID) -> None:
    """Look after one wallet's rule: write down what became of an attempt, make one where it is due. Idempotent."""
    with time_of(wallet_id):
        attempt = _take(wallet_id)
        if attempt is None:
            return
        reached(Step.OCCASION_TAKEN)
        try:
            top_up(
                wallet_id=wallet_id,
                owner_id=None,
                amount=attempt.amount,
                token_id=attempt.token_id,
                kind=PaymentKind.TOP_UP,
                actor=BY_CLOCK,
                description="Automatic top-up",
                call=attempt.call,
            )
        except Refusal as refusal:
            _conclude(attempt, refusal)
        except IntegrityError as error:
            # A top-up of an earlier rule is still under way: the table has room for one.
            if "payment_one_open_top_up_by_wallet" not in str(error):
                raise
            _conclude(attempt, IdempotencyInProgress())
        else:
            _conclude(attempt)
        reached(Step.OCCASION_CONCLUDED)


def sweep_due_top_ups(*, wallet_id: UUID | None = None, limit: int = 100) -> int:
    """Attend to the rules that are due, one wallet's or all, the longest overdue first; tell how many.

    A rule that can't be attended to is logged and holds up no other.
    """
    at = now()
    due = _rules_of(wallet_id).filter(
        Q(due_at__lte=at) | Q(next_run_at__lte=at, due_at=None) | Q(next_run_at__lte=at, occasion="")
    )
    in_order = due.order_by(F("due_at").asc(nulls_last=True), "next_run_at")
    return _attend_to(list(in_order.values_list("wallet_id", flat=True)[:limit]))


def sweep_overlooked_top_ups(*, wallet_id: UUID | None = None, limit: int = 100) -> int:
    """Attend to rules that nobody rang for although something has changed: a lost bell, a card or wallet that is gone.

    Tells how many there were.
    """
    available = F("wallet__account__balance") - F("wallet__account__held")
    is_low = Q(wallet__status=WalletStatus.ACTIVE, threshold__gt=available)
    is_unfit = (
        Q(wallet__status=WalletStatus.CLOSED) | Q(token__status=DELETED) | Q(wallet__user__is_active=False)
    )
    quiet = _rules_of(wallet_id).filter(is_enabled=True, is_paused=False, due_at=None)
    return _attend_to(list(quiet.filter(is_low | is_unfit).values_list("wallet_id", flat=True)[:limit]))


def next_due_at(*, wallet_id: UUID | None = None) -> datetime | None:
    """Tell when the next rule is due, one wallet's or any; None where none is."""
    moments = [
        moment
        for name in ("due_at", "next_run_at")
        for moment in _rules_of(wallet_id)
        .exclude(**{name: None})
        .order_by(name)
        .values_list(name, flat=True)[:1]
    ]
    return min(moments, default=None)


def _rules_of(wallet_id: UUID | None) -> QuerySet[AutoTopUp]:
    return AutoTopUp.objects.all() if wallet_id is None else AutoTopUp.objects.filter(wallet_id=wallet_id)


def _attend_to(wallet_ids: list[UUID]) -> int:
    until_s = time.monotonic() + SWEEP_LASTS_S
    for attended, wallet_id in enumerate(wallet_ids):
        if time.monotonic() > until_s:
            return attended
        try:
            attend(wallet_id=wallet_id)
        except Exception:
            log.exception("auto_top_up_not_attended", wallet_id=str(wallet_id))
    return len(wallet_ids)


def _take(wallet_id: UUID) -> Attempt | None:
    """Name the occasion that is due and lease its rule; write down before what became of an earlier attempt."""
    with transaction.atomic():
        at = now()
        rule = lock_rule(wallet_id)
        if rule is None or not _is_due(rule, at=at):
            return None
        payment = _payment_of(rule)
        if payment is not None:
            is_over(rule, payment, at=at)
            if not _is_due(rule, at=at):
                return None
        if not rule.is_live:
            end_occasion(rule, due_at=None)
            save(rule)
            return None
        reason = unfit_reason(rule)
        if reason:
            disable(rule, reason)
            return None
        wallet = lock_wallet(wallet_id, owner_id=None)
        name_occasion(rule, wallet, at=at)
        is_taken = bool(rule.occasion) and may_charge_now(rule, at=at)
        if is_taken:
            rule.due_at = at + timedelta(seconds=LEASE_S)
        save(rule)
        amount = Money(rule.amount, wallet.currency)
        return Attempt(wallet_id, rule.occasion, rule.attempt, amount, rule.token_id) if is_taken else None


def _conclude(attempt: Attempt, refusal: Refusal | None = None) -> None:
    """Write down what became of an attempt, unless somebody else has."""
    with transaction.atomic():
        rule = lock_rule(attempt.wallet_id)
        if rule is None or (rule.occasion, rule.attempt) != (attempt.occasion, attempt.number):
            return
        payment = _payment_of(rule)
        if payment is not None:
            is_over(rule, payment, at=now())
        else:
            put_off(rule, refusal or IdempotencyInProgress(), at=now())


def _is_due(rule: AutoTopUp, *, at: datetime) -> bool:
    """Tell whether a rule may be looked at: nothing keeps it to itself, or a day of its schedule has begun."""
    if rule.due_at is None or rule.due_at <= at:
        return True
    return not rule.occasion and rule.next_run_at is not None and rule.next_run_at <= at


def _payment_of(rule: AutoTopUp) -> Payment | None:
    """Find what the attempt under way has opened; nothing where it hasn't, or where that charged nothing."""
    if not rule.occasion:
        return None
    key = key_of(rule.wallet_id, occasion=rule.occasion, number=rule.attempt)
    resource = resource_of_key(principal=BY_CLOCK, key=key)
    return Payment.objects.get(id=resource_id(resource)) if resource else None
