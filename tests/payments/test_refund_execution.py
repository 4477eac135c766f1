"""Giving money back: each outcome of the processor, each cent once, and a refund that comes back."""

from datetime import timedelta
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from events.clock import now
from events.models import AuditEntry, FailedWork
from payments.models import Payment, Refund
from payments.processors.contract import Declined, RetryClass, Succeeded, Unknown
from payments.processors.sandbox import SandboxProcessor
from payments.refund_execution import KIND, execute_due_refunds, next_recheck, settle_refund
from payments.refund_movements import settle
from payments.refund_rechecks import recheck_due_refunds
from payments.refusals import ProcessorFailed, ProcessorUnavailable
from tests.factories.books import nothing_moves
from tests.factories.calls import unkeyed
from tests.payments.customers import REFUND_FAILS, Customer
from tests.payments.refunding import (
    approve,
    ask_for,
    deposit_of,
    events_of,
    execute_later,
    given_back,
    lines_of,
    money_of,
    now_of,
    purchase_of,
    recheck_later,
    refunded,
    states_of,
)
from transactions.models import Transaction
from transactions.money import Money
from wallets.lifecycle import close_wallet

LOST = Declined("lost_or_stolen_card", RetryClass.NEVER, "re_1")


@pytest.fixture
def approved(customer: Customer) -> Refund:
    """1000 of 2500 that go back to the card."""
    refund = ask_for(deposit_of(customer, 2500).transaction_id, 1000, by=customer)
    approve(refund)
    return now_of(refund)


def charge_behind(refund: Refund) -> tuple[str, int]:
    return Payment.objects.values_list("status", "refunded_amount").get(id=refund.payment_id)


def answers(monkeypatch: pytest.MonkeyPatch, method: str, *outcomes: Any) -> list[str]:
    """Let the processor answer so, one after the other; gives the keys that it was asked with."""
    left, asked = list(outcomes), []

    def answer(_self: Any, request: Any = None, *, key: str = "", **_references: str) -> Any:
        asked.append(request.key if request is not None else key)
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(SandboxProcessor, method, answer)
    return asked


def test_when_the_processor_gives_it_back_then_it_leaves_the_wallet_and_the_charge_says_so(
    customer, approved
):
    execute_due_refunds(refund_id=approved.id)

    refund = now_of(approved)
    assert (refund.status, refund.due_at, refund.failure_code) == ("completed", None, "")
    assert refund.completed_at is not None
    assert refund.processor_reference != ""
    assert (money_of(customer), given_back(refund)) == ((1500, 0), 1000)
    assert lines_of(refund) == [("refund", -1000, "completed")]
    assert charge_behind(refund) == ("partially_refunded", 1000)
    assert states_of(refund)[2:] == [("approved", "processing"), ("processing", "completed")]
    assert events_of(refund)[2:] == ["refund.completed"]
    line = Transaction.objects.get(transfer_id=refund.transfer_id, account_id=customer.wallet_id)
    assert AuditEntry.objects.filter(object_type="transaction", object_id=str(line.id)).values_list(
        "from_state", "to_state"
    ).get() == ("pending", "completed")


def test_when_the_rest_follows_then_the_charge_is_refunded(customer, approved):
    execute_due_refunds(refund_id=approved.id)

    rest = refunded(customer, approved.transaction_id)

    assert (rest.amount, charge_behind(rest)) == (1500, ("refunded", 2500))
    assert money_of(customer) == (0, 0)


def test_when_a_payment_is_refunded_then_it_is_in_the_wallet_again_and_nobody_outside_is_asked(
    customer, monkeypatch
):
    deposit_of(customer, 2500)
    asked = answers(monkeypatch, "refund")

    refund = refunded(customer, purchase_of(customer, 700), 300)

    assert (refund.status, refund.recheck_at) == ("completed", None)
    assert (money_of(customer), asked) == ((2100, 0), [])
    assert lines_of(refund) == [("refund", 300, "completed")]


def test_when_the_processor_declines_then_it_has_failed_and_the_money_is_free(
    customer, approved, monkeypatch
):
    answers(monkeypatch, "refund", LOST)

    execute_due_refunds(refund_id=approved.id)

    refund = now_of(approved)
    assert (refund.status, refund.failure_code, refund.due_at) == ("failed", "lost_or_stolen_card", None)
    assert money_of(customer) == (2500, 0)
    assert lines_of(refund) == [("refund", -1000, "failed")]
    assert charge_behind(refund) == ("succeeded", 0)
    assert events_of(refund)[2:] == ["refund.failed"]
    assert ask_for(refund.transaction_id, by=customer).amount == 2500


def test_when_nobody_knows_then_it_stays_processing_and_is_found_by_its_key(customer, approved, monkeypatch):
    sent = answers(monkeypatch, "refund", Unknown(reason="timeout"))
    found = answers(
        monkeypatch, "find_refund", Unknown(reason="timeout"), Succeeded("re_1", Money(1000, "USD"))
    )

    execute_due_refunds(refund_id=approved.id)
    first = now_of(approved)
    execute_later(approved)
    second = now_of(approved)
    Refund.objects.filter(id=approved.id).update(due_at=now())
    execute_due_refunds(refund_id=approved.id)

    assert (first.status, second.status) == ("processing", "processing")
    assert (sent, found) == ([approved.processor_key], [approved.processor_key] * 2)
    refund = now_of(approved)
    assert (refund.status, refund.processor_reference, money_of(customer)) == ("completed", "re_1", (1500, 0))


def test_when_the_request_never_arrived_then_it_is_sent_again_under_the_same_key(
    customer, approved, monkeypatch
):
    real = SandboxProcessor.refund
    sent = answers(monkeypatch, "refund", ProcessorUnavailable())
    execute_due_refunds(refund_id=approved.id)
    between = now_of(approved)
    monkeypatch.setattr(SandboxProcessor, "refund", real)

    execute_later(approved)

    assert (between.status, between.due_at > now()) == ("processing", True)
    assert sent == [approved.processor_key]
    assert (now_of(approved).status, given_back(approved)) == ("completed", 1000)
    assert FailedWork.objects.filter(kind=KIND, object_id=str(approved.id)).count() == 0


def test_when_it_fails_again_and_again_then_it_is_tried_ever_more_seldom_and_people_are_told(
    approved, monkeypatch
):
    waits = []
    monkeypatch.setattr("events.failed_work.logger", structlog.get_logger())
    with capture_logs() as logged:
        for _ in range(6):
            answers(monkeypatch, "refund", ProcessorFailed())
            Refund.objects.filter(id=approved.id).update(due_at=now())
            execute_due_refunds(refund_id=approved.id)
            waits.append(round((now_of(approved).due_at - now()).total_seconds()))

    assert waits == [5, 10, 20, 40, 80, 160]
    noted = FailedWork.objects.get(kind=KIND, object_id=str(approved.id))
    assert (noted.tries, noted.error) == (6, "provider_error")
    told = [entry for entry in logged if entry["event"] == "work_failed"]
    assert [(entry["log_level"], entry["tries"]) for entry in told] == [("error", 5)]


def test_when_executing_breaks_then_it_is_noted_and_the_next_one_is_executed(customer, approved, monkeypatch):
    other = ask_for(approved.transaction_id, 200, by=customer)
    approve(other)

    def settle_others(refund: Refund, *, actor: str) -> None:
        if refund.id == approved.id:
            raise KeyError("a bug")
        settle(refund, actor=actor)

    monkeypatch.setattr("payments.refund_execution.settle", settle_others)

    execute_due_refunds()

    assert (now_of(approved).status, now_of(other).status) == ("processing", "completed")
    assert FailedWork.objects.get(kind=KIND, object_id=str(approved.id)).error == "KeyError('a bug')"


def test_when_the_charge_was_disputed_meanwhile_then_nothing_is_sent_and_the_money_is_free(
    customer, approved, monkeypatch
):
    asked = answers(monkeypatch, "refund")
    Payment.objects.filter(id=approved.payment_id).update(status="disputed")

    execute_due_refunds(refund_id=approved.id)

    refund = now_of(approved)
    assert (refund.status, refund.failure_code, asked) == ("failed", "payment_disputed", [])
    assert money_of(customer) == (2500, 0)
    assert states_of(refund)[2:] == [("approved", "processing"), ("processing", "failed")]


def test_when_another_amount_was_given_back_then_nothing_is_settled_and_it_is_noted(approved, monkeypatch):
    answers(monkeypatch, "refund", Succeeded("re_1", Money(999, "USD")))

    execute_due_refunds(refund_id=approved.id)

    assert now_of(approved).status == "processing"
    assert (
        FailedWork.objects.get(kind=KIND, object_id=str(approved.id)).error == "another amount was refunded"
    )


def test_when_it_is_executed_twice_then_it_is_given_back_once(customer, approved):
    ran = [execute_due_refunds(refund_id=approved.id) for _ in range(2)]
    settle_refund(refund_id=approved.id, outcome=Succeeded("re_1", Money(1000, "USD")))
    settle_refund(refund_id=approved.id, outcome=Unknown(reason="late"))

    assert ran == [1, 0]
    assert (now_of(approved).status, money_of(customer)) == ("completed", (1500, 0))
    assert charge_behind(approved) == ("partially_refunded", 1000)


def test_when_nobody_has_decided_then_nothing_is_executed(customer):
    refund = ask_for(deposit_of(customer, 2500).transaction_id, by=customer)

    with nothing_moves():
        assert execute_due_refunds(refund_id=refund.id) == 0


class TestComesBack:
    """A refund that had succeeded, and that the bank sends back."""

    @pytest.fixture
    def completed(self, customer: Customer) -> Refund:
        payment = deposit_of(customer, 2500, REFUND_FAILS)
        return refunded(customer, payment.transaction_id, 1000)

    def test_when_it_is_asked_about_then_it_is_reversed_in_the_books_and_reported(self, customer, completed):
        before = money_of(customer)

        recheck_later()

        refund = now_of(completed)
        assert (completed.status, before) == ("completed", (1500, 0))
        assert (refund.status, refund.failure_code) == ("failed", "expired_or_canceled_card")
        assert (refund.recheck_at, refund.completed_at) == (None, completed.completed_at)
        assert money_of(customer) == (2500, 0)
        assert lines_of(refund) == [("refund", -1000, "completed"), ("reversal", 1000, "completed")]
        assert charge_behind(refund) == ("succeeded", 0)
        assert states_of(refund)[-1] == ("completed", "failed")
        assert events_of(refund)[-2:] == ["refund.completed", "refund.failed"]

    def test_when_it_is_told_twice_then_it_is_reversed_once(self, customer, completed):
        for _ in range(2):
            settle_refund(refund_id=completed.id, outcome=LOST)
        recheck_later()

        assert money_of(customer) == (2500, 0)
        assert len(lines_of(completed)) == 2

    def test_when_it_came_back_then_it_can_be_asked_for_again(self, customer, completed):
        settle_refund(refund_id=completed.id, outcome=LOST)

        assert ask_for(completed.transaction_id, by=customer).amount == 2500

    def test_when_a_success_is_told_afterwards_then_nothing_changes_but_people_are_told(
        self, customer, completed
    ):
        settle_refund(refund_id=completed.id, outcome=LOST)

        settle_refund(refund_id=completed.id, outcome=Succeeded("re_1", Money(1000, "USD")))

        assert (now_of(completed).status, money_of(customer)) == ("failed", (2500, 0))
        assert (
            FailedWork.objects.get(kind=KIND, object_id=str(completed.id)).error
            == "the processor refunded what is failed"
        )

    def test_when_the_wallet_is_empty_and_closed_by_then_the_money_is_still_its_owner_s(
        self, customer, completed
    ):
        purchase_of(customer, 1500)
        close_wallet(
            wallet_id=customer.wallet_id, owner_id=None, actor=customer.actor, reason="x", call=unkeyed()
        )

        recheck_later()

        assert money_of(customer) == (1000, 0)

    def test_when_the_charge_is_disputed_by_then_it_stays_disputed(self, completed):
        Payment.objects.filter(id=completed.payment_id).update(status="disputed")

        recheck_later()

        assert charge_behind(completed) == ("disputed", 0)


def test_when_a_refund_stands_then_it_is_asked_about_for_three_months_and_then_left_alone(
    approved, monkeypatch
):
    execute_due_refunds(refund_id=approved.id)
    done = now_of(approved)
    asked_at = []
    while (refund := now_of(approved)).recheck_at is not None:
        asked_at.append(refund.recheck_at - done.completed_at)
        at = refund.recheck_at + timedelta(microseconds=1)
        monkeypatch.setattr("payments.refund_execution.now", lambda at=at: at)
        recheck_due_refunds(at=at, limit=10_000)

    assert asked_at == [
        timedelta(seconds=10),
        timedelta(hours=1),
        *(timedelta(days=days) for days in (1, 3, 7, 14, 30, 60, 90)),
    ]
    assert now_of(approved).status == "completed"


def test_when_the_processor_can_not_be_asked_then_the_recheck_is_due_again_soon(approved, monkeypatch):
    execute_due_refunds(refund_id=approved.id)
    answers(monkeypatch, "find_refund", ProcessorUnavailable())
    at = now() + timedelta(seconds=60)

    recheck_due_refunds(at=at)

    refund = now_of(approved)
    assert (refund.status, refund.recheck_at) == ("completed", at + timedelta(seconds=300))


def test_when_the_last_recheck_is_over_then_there_is_none():
    at = now()

    assert next_recheck(at, at=at + timedelta(days=89)) == at + timedelta(days=90)
    assert next_recheck(at, at=at + timedelta(days=90)) is None
