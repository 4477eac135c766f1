"""Killed at each named step of a refund, each cent is still given back once; and no step goes unnamed."""

import signal
from itertools import pairwise

import pytest

from payments.models import Payment, Refund
from payments.refund_execution import execute_due_refunds
from payments.refund_rechecks import refresh_refund
from payments.steps import RECHECK_STEPS, REFUND_STEPS, RESUMED_REFUND_STEPS, Step
from tests.payments.customers import REFUND_FAILS, Customer
from tests.payments.killing import killed_at
from tests.payments.refunding import (
    approve,
    ask_for,
    deposit_of,
    execute_later,
    given_back,
    lines_of,
    money_of,
    now_of,
    recheck_later,
    refunded,
)


def approved_refund(customer: Customer) -> Refund:
    payment = deposit_of(customer, 2500)
    refund = ask_for(payment.transaction_id, 1000, by=customer)
    approve(refund)
    return refund


def require_given_back_once(customer: Customer, refund: Refund) -> None:
    assert now_of(refund).status == "completed"
    assert (money_of(customer), given_back(refund)) == ((1500, 0), 1000)
    assert [amount for _type, amount, _status in lines_of(refund)] == [-1000]
    assert Payment.objects.get(id=refund.payment_id).refunded_amount == 1000


@pytest.mark.parametrize("step", REFUND_STEPS)
def test_when_killed_while_refunding_then_the_sweep_gives_each_cent_back_once(customer, step):
    refund = approved_refund(customer)

    ended = killed_at(step, lambda: execute_due_refunds(refund_id=refund.id))
    given = given_back(refund)
    execute_later(refund)
    execute_later(refund, 4000)

    assert ended == -signal.SIGKILL
    assert given == (1000 if step in (Step.REFUND_ANSWERED, Step.REFUND_SETTLED) else 0)
    require_given_back_once(customer, refund)


@pytest.mark.parametrize("step", RESUMED_REFUND_STEPS)
@pytest.mark.parametrize("first", [Step.REFUND_BEGUN, Step.REFUND_ANSWERED], ids=["not sent", "given back"])
def test_when_killed_again_while_going_on_then_the_next_sweep_gives_each_cent_back_once(
    customer, first, step
):
    refund = approved_refund(customer)
    killed_at(first, lambda: execute_due_refunds(refund_id=refund.id))

    ended = killed_at(step, lambda: execute_later(refund))
    execute_later(refund, 4000)

    assert ended == -signal.SIGKILL
    require_given_back_once(customer, refund)


@pytest.mark.parametrize("step", RECHECK_STEPS)
def test_when_killed_while_a_refund_comes_back_then_it_is_reversed_once(customer, step):
    refund = refunded(customer, deposit_of(customer, 2500, REFUND_FAILS).transaction_id, 1000)

    ended = killed_at(step, lambda: recheck_later(60))
    recheck_later(600)

    assert ended == -signal.SIGKILL
    assert (now_of(refund).status, money_of(customer)) == ("failed", (2500, 0))
    assert [amount for _type, amount, _status in lines_of(refund)] == [-1000, 1000]


def test_when_a_refund_is_executed_then_between_any_two_effects_there_is_a_named_step(customer, effects):
    refund = approved_refund(customer)
    effects.clear()

    execute_due_refunds(refund_id=refund.id)

    assert effects[:7] == [
        "commit",
        "refund_claimed",
        "commit",
        "refund_begun",
        "call",
        "refund_answered",
        "commit",
    ]
    assert [effect for effect in effects if effect not in ("commit", "call")] == list(REFUND_STEPS)
    require_a_step_between_any_two(effects)


def test_when_a_refund_is_gone_on_with_then_between_any_two_effects_there_is_a_named_step(customer, effects):
    refund = approved_refund(customer)
    killed_at(Step.REFUND_BEGUN, lambda: execute_due_refunds(refund_id=refund.id))
    effects.clear()

    execute_later(refund)

    assert [effect for effect in effects if effect not in ("commit", "call")] == list(RESUMED_REFUND_STEPS)
    require_a_step_between_any_two(effects)


def test_when_a_refund_is_asked_about_then_between_any_two_effects_there_is_a_named_step(customer, effects):
    refund = refunded(customer, deposit_of(customer, 2500, REFUND_FAILS).transaction_id, 1000)
    effects.clear()

    refresh_refund(refund_id=refund.id)

    assert effects == ["call", "recheck_answered", "commit", "rechecked"]


def require_a_step_between_any_two(effects: list[str]) -> None:
    for before, after in pairwise(effects):
        assert not {before, after} <= {"commit", "call"}, effects
