"""Many see that many wallets have run low: each wallet's card is charged once."""

import os
from functools import partial
from itertools import chain

import pytest

from payments.auto_topups import attend, sweep_due_top_ups, sweep_overlooked_top_ups
from payments.models import AutoTopUp, Payment, SandboxCharge
from tests.factories.calls import unkeyed
from tests.payments.customers import Customer
from tests.payments.top_ups import fund, give_rule, rule_of, told
from tests.races import processes
from tests.races.processes import race
from transactions.money import Money
from wallets.transfers import pay

RACERS = 16
WALLETS = int(os.environ.get("RACE_WALLETS", "12"))
"""`RACE_WALLETS=200` takes a minute; a dozen show the same."""


@pytest.fixture(autouse=True)
def time_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each racer its time."""
    monkeypatch.setattr(processes, "LONGEST_RACE_S", processes.LONGEST_RACE_S + WALLETS)


def debit(customer: Customer):
    """Take so little that it is the last one that leaves too little."""
    pay(
        wallet_id=customer.wallet_id,
        amount=Money(10, "USD"),
        owner_id=None,
        actor="user:racer",
        call=unkeyed(),
    )


def require_one_top_up_each(customers: list[Customer]) -> None:
    for customer in customers:
        paid = Payment.objects.get(wallet_id=customer.wallet_id, kind="top_up")
        assert paid.status == "succeeded"
        assert [event["kind"] for event in told(customer.wallet_id)] == ["top_up.succeeded"]
        assert SandboxCharge.objects.filter(key=paid.processor_key).count() == 1
        assert rule_of(customer).occasion == ""


def test_when_16_debits_leave_each_of_many_wallets_low_then_each_card_is_charged_once(committed):
    customers = [Customer.with_wallet("USD") for _ in range(WALLETS)]
    for customer in customers:
        fund(customer, 1_000 + RACERS * 10 - 5)
        give_rule(customer)
        attend(wallet_id=customer.wallet_id)

    def look(customer: Customer):
        debit(customer)
        return attend(wallet_id=customer.wallet_id)

    outcomes = race([[partial(look, customer) for customer in customers] for _ in range(RACERS)])

    assert list(chain.from_iterable(outcome.refusals for outcome in outcomes)) == []
    require_one_top_up_each(customers)
    assert [customer.balance for customer in customers] == [1_000 - 5 + 2_500] * WALLETS


def test_when_bells_and_sweeps_race_for_the_same_rules_then_each_card_is_charged_once(committed):
    customers = [Customer.with_wallet("USD") for _ in range(WALLETS)]
    for customer in customers:
        give_rule(customer)
    looks = [partial(attend, wallet_id=customer.wallet_id) for customer in customers]
    sweeps = [sweep_due_top_ups, partial(sweep_overlooked_top_ups, limit=1000)]

    race([looks, list(reversed(looks)), sweeps, list(reversed(sweeps))] * 4)

    require_one_top_up_each(customers)
    assert [customer.balance for customer in customers] == [2_500] * WALLETS


def test_when_16_write_the_first_rule_of_a_wallet_then_there_is_one_and_nobody_fails(committed):
    customer = Customer.with_wallet("USD")
    card = customer.card()

    outcomes = race([[partial(give_rule, customer, card, amount=100 + racer)] for racer in range(RACERS)])

    assert [outcome.refusals for outcome in outcomes] == [[]] * RACERS
    assert AutoTopUp.objects.filter(wallet_id=customer.wallet_id).count() == 1
