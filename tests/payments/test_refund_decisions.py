"""Deciding on refunds: another person, within a day's limit, once."""

from datetime import timedelta
from typing import Any

import pytest

from events.clock import now
from payments.models import Payment, Refund
from payments.refund_execution import execute_due_refunds
from payments.refusals import PaymentDisputed, RefundNotPending
from tests.factories.books import nothing_moves
from tests.factories.holds import staff
from tests.payments.customers import Customer
from tests.payments.refunding import (
    approve,
    ask_for,
    cancel,
    deposit_of,
    events_of,
    lines_of,
    money_of,
    now_of,
    reject,
    states_of,
)
from transactions.refusals import LimitExceeded, NotFound, SelfApproval
from users.models import User
from users.refusals import PermissionDenied


@pytest.fixture
def refund(customer: Customer) -> Refund:
    """A customer's request to have 1000 of 2500 back."""
    return ask_for(deposit_of(customer, 2500).transaction_id, 1000, by=customer)


def test_when_another_one_approves_then_it_is_due_at_once_and_its_money_still_waits(customer, refund):
    finance = staff("finance")

    approve(refund, by=finance)

    decided = now_of(refund)
    assert (decided.status, decided.decided_by) == ("approved", finance.id)
    assert decided.due_at is not None
    assert decided.due_at <= now()
    assert money_of(customer) == (2500, 1000)
    assert states_of(refund) == [("", "pending"), ("pending", "approved")]
    assert events_of(refund) == ["refund.created", "refund.approved"]


def test_when_another_one_rejects_then_its_reason_is_kept_and_the_money_is_free(customer, refund):
    finance = staff("finance")

    reject(refund, by=finance)

    decided = now_of(refund)
    assert (decided.status, decided.decided_by, decided.decision_reason) == ("rejected", finance.id, "not so")
    assert (decided.due_at, money_of(customer)) == (None, (2500, 0))
    assert lines_of(refund) == [("refund", -1000, "cancelled")]
    assert events_of(refund) == ["refund.created", "refund.rejected"]
    assert execute_due_refunds(refund_id=refund.id) == 0


@pytest.mark.parametrize("decide", [approve, reject])
def test_when_the_one_who_asked_decides_then_nothing_moves(customer, decide):
    finance = staff("finance")
    refund = ask_for(deposit_of(customer, 2500).transaction_id, by=finance)

    with nothing_moves(), pytest.raises(SelfApproval):
        decide(refund, by=finance)


@pytest.mark.parametrize("first", [approve, reject])
@pytest.mark.parametrize("second", [approve, reject])
def test_when_it_has_been_decided_then_it_stays_so(refund, first, second):
    finance = staff("finance")
    first(refund)

    with nothing_moves(), pytest.raises(RefundNotPending):
        second(refund, by=finance)


@pytest.mark.parametrize("decide", [approve, reject])
def test_when_it_was_taken_back_then_nobody_decides(customer, refund, decide):
    finance = staff("finance")
    cancel(refund, by=customer)

    with nothing_moves(), pytest.raises(RefundNotPending):
        decide(refund, by=finance)


@pytest.mark.parametrize("decide", [approve, reject])
@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "support"}, {"role": "user"}])
def test_when_the_decider_has_lost_the_right_since_the_token_then_nothing_moves(refund, decide, change):
    finance = staff("finance")
    User.objects.filter(id=finance.id).update(**change)

    with nothing_moves(), pytest.raises(PermissionDenied):
        decide(refund, by=finance)


def test_when_there_is_no_such_refund_then_nothing_moves(refund):
    finance = staff("finance")
    refund.id = finance.id

    with nothing_moves(), pytest.raises(NotFound):
        approve(refund, by=finance)


def test_when_the_charge_is_disputed_by_now_then_it_is_not_approved_but_may_be_rejected(customer, refund):
    finance = staff("finance")
    Payment.objects.filter(id=refund.payment_id).update(status="disputed")

    with nothing_moves(), pytest.raises(PaymentDisputed):
        approve(refund, by=finance)
    reject(refund, by=finance)

    assert money_of(customer) == (2500, 0)


class TestDailyLimit:
    """What one person may approve within 24 hours."""

    @pytest.fixture(autouse=True)
    def limit(self, settings: Any) -> None:
        settings.REFUND_APPROVAL_LIMIT = {"USD": 1000}

    @pytest.fixture
    def asked(self, customer: Customer) -> list[Refund]:
        """Requests of 600, 400 and 1."""
        line_id = deposit_of(customer, 2500).transaction_id
        return [ask_for(line_id, amount, by=customer) for amount in (600, 400, 1)]

    def test_when_it_is_used_up_then_nothing_moves_and_another_person_approves(self, asked):
        finance = staff("finance")
        approve(asked[0], by=finance)
        approve(asked[1], by=finance)

        with nothing_moves(), pytest.raises(LimitExceeded) as refused:
            approve(asked[2], by=finance)
        approve(asked[2], by=staff("admin"))

        assert refused.value.extra == {"limit": "refund_approval", "remaining": 0}

    def test_when_a_day_has_passed_then_it_is_there_again(self, asked, monkeypatch):
        finance = staff("finance")
        approve(asked[0], by=finance)
        later = now() + timedelta(hours=24, seconds=1)
        monkeypatch.setattr("payments.refund_limits.now", lambda: later)

        for refund in asked[1:]:
            approve(refund, by=finance)

        assert [now_of(refund).status for refund in asked] == ["approved"] * 3

    def test_when_a_request_is_rejected_then_it_counts_for_nothing(self, asked):
        finance = staff("finance")
        reject(asked[0], by=finance)

        for refund in asked[1:]:
            approve(refund, by=finance)

        assert [now_of(refund).status for refund in asked[1:]] == ["approved"] * 2

    def test_when_a_currency_has_no_limit_then_all_is_approved(self, committed):
        customer = Customer.with_wallet("EUR")
        refund = ask_for(deposit_of(customer, 2500).transaction_id, by=customer)

        approve(refund)

        assert now_of(refund).status == "approved"

    def test_when_one_limit_is_for_all_currencies_then_each_has_its_own_sum(self, settings, committed):
        settings.REFUND_APPROVAL_LIMIT = {"*": 1000}
        finance = staff("finance")
        refunds = []
        for currency in ("EUR", "USD"):
            customer = Customer.with_wallet(currency)
            refunds.append(ask_for(deposit_of(customer, 1000).transaction_id, by=customer))

        for refund in refunds:
            approve(refund, by=finance)

        assert [now_of(refund).status for refund in refunds] == ["approved"] * 2
