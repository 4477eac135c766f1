"""Killed at each named step of a charge, a payment still ends with each cent once; and no step goes unnamed."""

import signal
from datetime import timedelta

import pytest

from events.clock import now
from payments.reconciliation import sweep_due_payments
from payments.steps import (
    ACTION_STEPS,
    AUTO_TOP_UP_STEPS,
    PHONE_STEPS,
    RECHECK_STEPS,
    RECONCILIATION_STEPS,
    REFUND_STEPS,
    RESUMED_REFUND_STEPS,
    TOP_UP_STEPS,
    Step,
)
from tests.payments.customers import SUCCEEDS, TIMES_OUT, Customer, sweep_later
from tests.payments.killing import killed_at
from tests.payments.phones import SCHEMES, given_by_phone, new_session, pay


def require_each_cent_once(customer: Customer, amount: int) -> None:
    payments = customer.payments
    succeeded = [payment for payment in payments if payment.status == "succeeded"]
    assert [payment.amount for payment in succeeded] == [amount]
    assert {payment.status for payment in payments} <= {"succeeded", "failed"}
    assert (customer.balance, customer.charged) == (amount, amount)


@pytest.mark.parametrize("step", TOP_UP_STEPS)
@pytest.mark.parametrize("number", [SUCCEEDS, TIMES_OUT], ids=["answered", "timed-out"])
def test_when_killed_while_charging_then_the_sweep_and_a_retry_find_each_cent_once(customer, step, number):
    token = customer.card(number)

    ended = killed_at(step, lambda: customer.top_up(token.id, 2500, key="fund-1"))
    charged = customer.charged
    sweep_later()
    swept = customer.balance
    answer = customer.top_up(token.id, 2500, key="fund-1")
    sweep_later()

    assert ended == -signal.SIGKILL
    assert charged == (0 if step in (Step.OPENED, Step.SOURCE_REVEALED) else 2500)
    assert swept == charged
    assert answer.status in (201, 202)
    require_each_cent_once(customer, 2500)


@pytest.mark.parametrize("step", PHONE_STEPS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_when_killed_while_a_phone_pays_then_the_sweep_and_a_retry_find_each_cent_once(
    customer, scheme, step
):
    session = new_session(customer, scheme)
    given = given_by_phone(session)

    ended = killed_at(step, lambda: pay(customer, session, given=given, key="pay-1"))
    charged = customer.charged
    sweep_later()
    swept = customer.balance
    answer = pay(customer, session, given=given, key="pay-1")
    sweep_later()

    assert ended == -signal.SIGKILL
    assert charged == (2500 if step in (Step.CHARGE_ANSWERED, Step.SETTLED) else 0)
    assert swept == charged
    assert answer.status == 201
    require_each_cent_once(customer, 2500)


@pytest.mark.parametrize("step", RECONCILIATION_STEPS)
@pytest.mark.parametrize("first", [Step.OPENED, Step.CHARGE_ANSWERED], ids=["uncharged", "charged"])
def test_when_killed_while_reconciling_then_the_next_sweep_and_a_retry_find_each_cent_once(
    customer, first, step
):
    token = customer.card()
    killed_at(first, lambda: customer.top_up(token.id, 2500, key="fund-1"))
    charged = customer.charged

    ended = killed_at(step, sweep_later)
    sweep_later(600)
    swept = customer.balance
    customer.top_up(token.id, 2500, key="fund-1")

    assert ended == -signal.SIGKILL
    assert swept == charged
    require_each_cent_once(customer, 2500)


@pytest.mark.parametrize("step", RECONCILIATION_STEPS[:2])
def test_when_a_sweep_is_killed_then_it_keeps_no_other_payment_from_the_next_one(customer, step):
    token = customer.card(TIMES_OUT)
    for number in (1, 2, 3):
        customer.top_up(token.id, 2500, key=f"fund-{number}")
    at = now() + timedelta(seconds=120)

    ended = killed_at(step, lambda: sweep_due_payments(at=at))

    assert ended == -signal.SIGKILL
    due = [payment.due_at <= at for payment in customer.payments]
    assert sorted(due) == [False, True, True]
    sweep_due_payments(at=at)
    assert customer.balance == 5000


def test_when_a_card_is_charged_then_between_any_two_effects_there_is_a_named_step(customer, effects):
    token = customer.card()
    effects.clear()

    customer.top_up(token.id, 2500, key="fund-1")

    assert effects == [
        "commit",
        "opened",
        "commit",
        "source_revealed",
        "call",
        "charge_answered",
        "commit",
        "settled",
    ]
    assert [step for step in effects if step not in ("commit", "call")] == list(TOP_UP_STEPS)


def test_when_a_phone_pays_then_between_any_two_effects_there_is_a_named_step(customer, effects):
    session = new_session(customer)
    given = given_by_phone(session)
    effects.clear()

    pay(customer, session, given=given, key="pay-1", is_saved=True)

    assert effects == [
        "commit",
        "card_kept",
        "commit",
        "opened",
        "commit",
        "source_revealed",
        "call",
        "charge_answered",
        "commit",
        "settled",
    ]
    assert [step for step in effects if step not in ("commit", "call")] == list(PHONE_STEPS)


def test_when_a_charge_is_reconciled_then_between_any_two_effects_there_is_a_named_step(customer, effects):
    sweep_later(600)
    customer.top_up(customer.card(TIMES_OUT).id, 2500)
    effects.clear()

    sweep_later(6)

    # The last one takes nothing: the sweep looks whether there is another.
    assert effects == ["commit", "claimed", "call", "outcome_found", "commit", "reconciled", "commit"]
    assert [step for step in effects if step not in ("commit", "call")] == list(RECONCILIATION_STEPS)


def test_when_a_step_is_named_then_it_belongs_to_charging_reconciling_or_refunding():
    assert {
        *AUTO_TOP_UP_STEPS,
        *RECONCILIATION_STEPS,
        *ACTION_STEPS,
        *PHONE_STEPS,
        *REFUND_STEPS,
        *RESUMED_REFUND_STEPS,
        *RECHECK_STEPS,
    } == set(Step)
