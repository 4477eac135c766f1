"""Holds, corrections, limits and credit in any order against a model in Python, and refusals that move nothing."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.factories.books import books
from tests.factories.calls import ACTOR, unkeyed
from tests.factories.holds import approve, ask, capture, hold_now, new_hold, reject, staff, void
from tests.factories.money import NO_LIMITS, fund, new_wallet
from transactions.integrity import PROOFS, prove
from transactions.models import LedgerAccount
from transactions.money import Money
from transactions.refusals import Refusal
from wallets import lifecycle, limits, transfers
from wallets.freed_holds import expire_due_holds
from wallets.models import Adjustment

START = datetime(2030, 10, 30, 12, 0, tzinfo=UTC)
# Few values, so that amounts meet their bounds and moments their deadlines.
AMOUNTS = st.sampled_from([1, 50, 99, 100, 300, 600])
HOURS = st.sampled_from([1, 2, 5, 12, 30])
CREDITS = st.sampled_from([None, 0, 100, 600, 1_000])
WHICH = st.integers(0, 4)
# Mostly none: a wallet that may do nothing finds nothing out.
LIMITS = st.sampled_from([None] * 6 + [0, 50, 300, 900, 2_000])
RARELY = st.sampled_from([False] * 5 + [True])

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES") or 30)
STEPS = int(os.environ.get("MODEL_STEPS") or 40)
"""`make soak ARGS="model"` asks for more of both."""


@dataclass
class ModelHold:
    """A hold as it should be; `freed` once its rest is available again."""

    id: UUID
    amount: int
    made_at: datetime
    expires_at: datetime
    captured: int = 0
    end: str = ""

    def is_due(self, at: datetime) -> bool:
        return not self.end and self.expires_at <= at

    @property
    def rest(self) -> int:
        return 0 if self.end else self.amount - self.captured


@dataclass
class Model:
    """One wallet as it should be."""

    balance: int = 0
    is_suspended: bool = False
    limits: dict[str, int | None] = field(default_factory=lambda: dict(NO_LIMITS))
    holds: list[ModelHold] = field(default_factory=list)
    asked: list[tuple[Adjustment, int]] = field(default_factory=list)
    outflow: list[tuple[datetime, int]] = field(default_factory=list)

    @property
    def held(self) -> int:
        return sum(hold.rest for hold in self.holds) - sum(amount for _, amount in self.asked if amount < 0)

    def lacks(self, amount: int) -> bool:
        return self.balance - self.held - amount < -(self.limits["credit"] or 0)

    def spent(self, at: datetime, *, in_month: bool) -> int:
        return sum(
            amount
            for when, amount in self.outflow
            if (when.year, when.month) == (at.year, at.month) and (in_month or when.day == at.day)
        )

    def refusal_to_spend(self, amount: int, at: datetime) -> str:
        if self.is_suspended:
            return "wallet_suspended"
        totals = {
            "per_transaction": amount,
            "daily_outflow": self.spent(at, in_month=False) + amount,
            "monthly_outflow": self.spent(at, in_month=True) + amount,
        }
        for name, total in totals.items():
            limit = self.limits[name]
            if limit is not None and total > limit:
                return "limit_exceeded"
        return "insufficient_funds" if self.lacks(amount) else ""

    def end(self, hold: ModelHold, how: str) -> None:
        self.outflow.append((hold.made_at, -hold.rest))
        hold.end = how

    def expire(self, at: datetime) -> None:
        for hold in self.holds:
            if hold.is_due(at):
                self.end(hold, "expired")


class HoldsAndCorrections(RuleBasedStateMachine):
    """One wallet, two people of staff, and a clock that goes on for days."""

    def __init__(self) -> None:
        super().__init__()
        self._atomic = transaction.atomic()
        self._atomic.__enter__()
        self._travel = time_machine.travel(START, tick=False)
        self._clock = self._travel.start()
        self.now = START
        self.wallet_id = new_wallet(1_000)
        self.asker, self.decider = staff("finance"), staff("finance")
        self.model = Model(balance=1_000)

    def teardown(self) -> None:
        try:
            assert [breach for proof in PROOFS for breach in prove(proof)] == []
        finally:
            self._travel.stop()
            transaction.set_rollback(True)
            self._atomic.__exit__(None, None, None)

    def attempt(self, expected: str, act: Callable[[], Any]) -> Any:
        """Do it; where the model expects a refusal, exactly that one comes and the books stay as they are."""
        before = books() if expected else {}
        result, refused = None, ""
        try:
            with transaction.atomic():
                result = act()
        except Refusal as refusal:
            refused = refusal.code
        assert refused == expected
        if refused:
            assert books() == before
        return result

    def after_expiry(self, refusal: Callable[[], str]) -> str:
        """Tell what is refused: where money or room lacks, that is after the holds whose time is over are freed."""
        if refusal() in ("limit_exceeded", "insufficient_funds"):
            self.model.expire(self.now)
            if refusal():
                # Freeing them is no effect of what is refused: it stays.
                expire_due_holds(wallet_id=self.wallet_id)
        return refusal()

    def spend(self, amount: int, act: Callable[[], Any]) -> Any:
        """Spend as far as money, limits and state allow; None where they don't."""
        expected = self.after_expiry(lambda: self.model.refusal_to_spend(amount, self.now))
        result = self.attempt(expected, act)
        if not expected:
            self.model.outflow.append((self.now, amount))
        return None if expected else result

    def nth(self, found: list[Any], which: int) -> Any:
        return found[-1 - which % len(found)] if found else None

    @rule(amount=AMOUNTS)
    def money_arrives(self, amount: int) -> None:
        fund(self.wallet_id, amount)
        self.model.balance += amount

    @rule(amount=AMOUNTS)
    def customer_pays(self, amount: int) -> None:
        paid = self.spend(
            amount,
            lambda: transfers.pay(
                wallet_id=self.wallet_id,
                amount=Money(amount, "USD"),
                owner_id=None,
                actor=ACTOR,
                call=unkeyed(),
            ),
        )
        if paid:
            self.model.balance -= amount

    @rule(amount=AMOUNTS, hours=HOURS)
    def hold_is_authorised(self, amount: int, hours: int) -> None:
        hold_id = self.spend(amount, lambda: new_hold(self.wallet_id, amount, expires_in_s=hours * 3_600))
        if hold_id:
            until = self.now + timedelta(hours=hours)
            self.model.holds.append(ModelHold(hold_id, amount, self.now, until))

    @rule(which=WHICH, amount=st.one_of(st.none(), AMOUNTS))
    def hold_is_captured(self, which: int, amount: int | None) -> None:
        hold = self.nth(self.model.holds, which)
        if hold is None:
            return
        taken = hold.rest if amount is None else amount
        expected = "amount_exceeds_remaining" if taken > hold.rest else ""
        if hold.end or hold.is_due(self.now):
            expected = "hold_not_open"
        self.attempt(expected, lambda: capture(self.wallet_id, hold.id, amount))
        if not expected:
            hold.captured += taken
            self.model.balance -= taken
            if hold.captured == hold.amount:
                hold.end = "captured"

    @rule(which=WHICH)
    def hold_is_voided(self, which: int) -> None:
        hold = self.nth(self.model.holds, which)
        if hold is None:
            return
        expected = "hold_not_open" if hold.end or hold.is_due(self.now) else ""
        self.attempt(expected, lambda: void(self.wallet_id, hold.id))
        if not expected:
            self.model.end(hold, "voided")

    @rule(hours=HOURS)
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self._clock.move_to(self.now)

    @rule()
    def sweep_runs(self) -> None:
        expire_due_holds()
        self.model.expire(self.now)

    @rule(amount=AMOUNTS, is_debit=st.booleans())
    def correction_is_asked_for(self, amount: int, is_debit: bool) -> None:
        def refusal() -> str:
            return "insufficient_funds" if is_debit and self.model.lacks(amount) else ""

        expected = self.after_expiry(refusal)
        amount = -amount if is_debit else amount
        asked = self.attempt(expected, lambda: ask(self.wallet_id, amount, by=self.asker))
        if not expected:
            self.model.asked.append((asked, amount))

    @rule(which=WHICH, is_approved=st.booleans())
    def correction_is_decided(self, which: int, is_approved: bool) -> None:
        found = self.nth(self.model.asked, which)
        if found is None:
            return
        adjustment, amount = found
        decide = approve if is_approved else reject
        self.attempt("self_approval", lambda: decide(adjustment, by=self.asker))
        decide(adjustment, by=self.decider)
        self.attempt("adjustment_not_pending", lambda: decide(adjustment, by=self.decider))
        self.model.asked.remove(found)
        if is_approved:
            self.model.balance += amount

    @rule(name=st.sampled_from(["per_transaction", "daily_outflow", "monthly_outflow"]), limit=LIMITS)
    def limit_is_changed(self, name: str, limit: int | None) -> None:
        self.change_limits({name: limit})

    @rule(credit=CREDITS)
    def credit_is_changed(self, credit: int | None) -> None:
        self.change_limits({"credit": credit})

    def change_limits(self, changed: dict[str, int | None]) -> None:
        wanted = {**self.model.limits, **changed}
        is_used = self.model.balance - self.model.held < -(wanted["credit"] or 0)
        self.attempt(
            "validation_error" if is_used else "",
            lambda: limits.set_limits(wallet_id=self.wallet_id, actor=ACTOR, call=unkeyed(), **wanted),
        )
        if not is_used:
            self.model.limits = wanted

    @rule(is_meant=RARELY)
    def wallet_is_suspended_or_reactivated(self, is_meant: bool) -> None:
        if not (is_meant or self.model.is_suspended):
            return
        change = lifecycle.reactivate_wallet if self.model.is_suspended else lifecycle.suspend_wallet
        change(wallet_id=self.wallet_id, actor=ACTOR, reason="asked", call=unkeyed())
        self.model.is_suspended = not self.model.is_suspended

    @invariant()
    def the_wallet_says_what_the_model_says(self) -> None:
        account = LedgerAccount.objects.get(id=self.wallet_id)
        assert (account.balance, account.held) == (self.model.balance, self.model.held)
        if account.outflow_day is not None:
            counted_at = datetime.combine(account.outflow_day, datetime.min.time(), UTC)
            assert account.outflow_day_amount == self.model.spent(counted_at, in_month=False)
            assert account.outflow_month_amount == self.model.spent(counted_at, in_month=True)

    @invariant()
    def each_hold_says_what_the_model_says(self) -> None:
        for hold in self.model.holds:
            found = hold_now(hold.id)
            shown = hold.end or ("expired" if hold.is_due(self.now) else "open")
            assert (found.captured, found.unused, found.status) == (hold.captured, hold.rest, shown)


@pytest.mark.django_db
def test_when_holds_and_corrections_come_in_any_order_then_the_books_say_what_the_model_says():
    run_state_machine_as_test(
        HoldsAndCorrections,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            print_blob=True,
        ),
    )
