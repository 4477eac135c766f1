"""Refunds raced by real processes: never above what remains, decided once, given back once."""

from collections.abc import Callable

import pytest
from uuid_utils.compat import uuid7

from payments.models import Payment, Refund
from payments.refund_execution import execute_due_refunds
from tests.factories.holds import staff
from tests.payments.customers import Customer
from tests.payments.refunding import approve, ask, ask_for, deposit_of, given_back, money_of, purchase_of
from tests.races.processes import race
from transactions.idempotency import Answer

RACERS = 8
ROUNDS = 12


@pytest.fixture
def customer(committed: None) -> Customer:
    """Somebody with an empty USD wallet."""
    return Customer.with_wallet("USD")


def requests_of(customer: Customer, line_id: object, amount: int) -> Callable[[], Answer]:
    return lambda: ask(line_id, amount, by=customer)


@pytest.mark.parametrize("is_deposit", [True, False], ids=["a deposit", "a payment"])
def test_when_eight_ask_again_and_again_then_never_more_than_remains(customer, is_deposit):
    payment = deposit_of(customer, 1000)
    deposit_of(customer, 5000)
    line_id = payment.transaction_id if is_deposit else purchase_of(customer, 1000)

    outcomes = race([[requests_of(customer, line_id, 90)] * ROUNDS for _ in range(RACERS)])

    asked_for = sum(Refund.objects.filter(transaction_id=line_id).values_list("amount", flat=True))
    refusals = [code for outcome in outcomes for code in outcome.refusals]
    assert sum(len(outcome.answers) for outcome in outcomes) == 11
    assert asked_for == 990
    assert set(refusals) == {"amount_exceeds_remaining"}
    assert money_of(customer)[1] == (990 if is_deposit else 0)


def ask_for_most_of_each(customer: Customer, *, lines: int, longest_s: float) -> None:
    """Let eight ask for 60 of 100 of each line in turn: one of them gets it, and the others are told what remains."""
    deposit_of(customer, 100 * lines)
    line_ids = [purchase_of(customer, 100) for _ in range(lines)]
    calls = [requests_of(customer, line_id, 60) for line_id in line_ids]

    outcomes = race([calls] * RACERS, longest_s=longest_s)

    asked_for = Refund.objects.filter(transaction_id__in=line_ids).values_list("transaction_id", "amount")
    assert sorted(asked_for) == sorted((line_id, 60) for line_id in line_ids)
    refusals = [code for outcome in outcomes for code in outcome.refusals]
    assert refusals == ["amount_exceeds_remaining"] * (lines * (RACERS - 1))


def test_when_eight_ask_for_most_of_each_line_then_one_of_them_gets_it(customer):
    ask_for_most_of_each(customer, lines=25, longest_s=20)


def test_when_eight_send_the_same_key_then_it_is_asked_for_once(customer):
    payment = deposit_of(customer, 1000)
    call = customer.call(str(uuid7()))

    outcomes = race([[lambda: ask(payment.transaction_id, 90, by=customer, call=call)]] * RACERS)

    assert Refund.objects.filter(payment=payment).count() == 1
    assert sorted(answer.replayed for outcome in outcomes for answer in outcome.answers) == [
        False,
        *[True] * (RACERS - 1),
    ]


def test_when_two_people_decide_at_once_then_one_of_them_has(customer):
    refund = ask_for(deposit_of(customer, 1000).transaction_id, by=customer)
    people = [staff("finance") for _ in range(4)]

    outcomes = race([[lambda person=person: approve(refund, by=person)] for person in people])

    assert sum(len(outcome.answers) for outcome in outcomes) == 1
    assert [code for outcome in outcomes for code in outcome.refusals] == ["refund_not_pending"] * 3


def test_when_one_person_approves_in_four_windows_then_the_limit_of_the_day_holds(customer, settings):
    settings.REFUND_APPROVAL_LIMIT = {"USD": 250}
    line_id = deposit_of(customer, 1000).transaction_id
    refunds = [ask_for(line_id, 100, by=customer) for _ in range(4)]
    finance = staff("finance")

    outcomes = race([[lambda refund=refund: approve(refund, by=finance)] for refund in refunds])

    assert sum(len(outcome.answers) for outcome in outcomes) == 2
    assert [code for outcome in outcomes for code in outcome.refusals] == ["limit_exceeded"] * 2


def test_when_eight_workers_take_the_same_refunds_then_each_is_given_back_once(customer):
    line_id = deposit_of(customer, 1000).transaction_id
    refunds = [ask_for(line_id, 10, by=customer) for _ in range(10)]
    for refund in refunds:
        approve(refund)

    def work() -> Answer:
        for refund in refunds:
            execute_due_refunds(refund_id=refund.id)
        return Answer(200, b"")

    race([[work]] * RACERS)

    assert [given_back(refund) for refund in refunds] == [10] * 10
    assert money_of(customer) == (900, 0)
    assert Payment.objects.get(transaction_id=line_id).refunded_amount == 100
