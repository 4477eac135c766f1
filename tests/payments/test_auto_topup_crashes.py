"""Killed at each named step, a top-up by rule still charges its occasion once and is told of once."""

import signal

import pytest

from payments.steps import AUTO_TOP_UP_STEPS, Step
from tests.payments.customers import NOT_COVERED, SUCCEEDS, TIMES_OUT
from tests.payments.killing import killed_at
from tests.payments.top_ups import fund, give_rule, later, look, rule_of, spend, told, top_ups

CHARGED = AUTO_TOP_UP_STEPS[AUTO_TOP_UP_STEPS.index(Step.CHARGE_ANSWERED) :]


@pytest.mark.parametrize("step", AUTO_TOP_UP_STEPS)
@pytest.mark.parametrize("number", [SUCCEEDS, TIMES_OUT], ids=["answered", "timed-out"])
def test_when_killed_on_the_way_then_the_sweeps_end_with_one_charge_told_of_once(customer, step, number):
    fund(customer, 400)
    give_rule(customer, customer.card(number))

    ended = killed_at(step, lambda: look(customer))
    charged = customer.charged - 400
    for _ in range(6):
        later(customer, minutes=20)

    assert ended == -signal.SIGKILL
    assert charged == (2_500 if step in CHARGED else 0)
    assert [outcome for outcome in top_ups(customer) if outcome[0] == "succeeded"] == [("succeeded", 2_500)]
    assert {status for status, _amount in top_ups(customer)} <= {"succeeded", "failed"}
    assert (customer.balance, customer.charged) == (2_900, 2_900)
    assert [event["kind"] for event in told(customer.wallet_id)] == ["top_up.succeeded"]
    rule = rule_of(customer)
    assert (rule.occasion, rule.due_at, rule.failures) == ("", None, 0)


def test_when_killed_while_writing_down_a_decline_then_it_counts_once(customer):
    fund(customer, 400)
    give_rule(customer, customer.card(NOT_COVERED))
    killed_at(Step.SETTLED, lambda: look(customer))

    later(customer, minutes=3)
    later(customer, minutes=3)

    rule = rule_of(customer)
    assert (rule.failures, rule.attempt, top_ups(customer)) == (1, 2, [("failed", 2_500)])
    assert [event["reason"] for event in told(customer.wallet_id)] == ["insufficient_funds"]


def test_when_two_take_up_one_rule_and_one_dies_in_between_then_the_other_finds_it_leased(customer):
    fund(customer, 400)
    give_rule(customer)
    killed_at(Step.OCCASION_TAKEN, lambda: look(customer))

    look(customer)
    leased = (top_ups(customer), bool(rule_of(customer).occasion))
    spend(customer, 100)
    look(customer)
    still = top_ups(customer)
    later(customer, minutes=2)

    assert leased == ([], True)
    assert still == []
    assert top_ups(customer) == [("succeeded", 2_500)]
