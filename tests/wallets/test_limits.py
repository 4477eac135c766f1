"""Limits: exact to the cent, per wallet and by currency, counted in UTC's days and months."""

from datetime import UTC, datetime

import pytest
import time_machine

from events.models import AuditEntry
from tests.factories.books import nothing_moves
from tests.factories.calls import ACTOR, unkeyed
from tests.factories.money import balance_of, fund, locked, new_wallet, set_limits
from transactions.models import LedgerAccount
from transactions.money import Money
from transactions.refusals import InvalidInput, LimitExceeded
from wallets.limits import limits_of
from wallets.transfers import pay, transfer

pytestmark = pytest.mark.django_db

LAST_OF_OCTOBER = datetime(2026, 10, 31, 23, 59, 59, 999999, tzinfo=UTC)
FIRST_OF_NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
SECOND_OF_NOVEMBER = datetime(2026, 11, 2, tzinfo=UTC)


def spend(wallet_id, amount: int, currency: str = "USD"):
    return pay(
        wallet_id=wallet_id, amount=Money(amount, currency), owner_id=None, actor=ACTOR, call=unkeyed()
    )


def refused_for(wallet_id, amount: int) -> str:
    with nothing_moves(), pytest.raises(LimitExceeded) as refused:
        spend(wallet_id, amount)
    return refused.value.extra["limit"]


@pytest.mark.parametrize("name", ["per_transaction", "daily_outflow", "monthly_outflow"])
def test_when_a_limit_is_met_exactly_then_it_holds_and_one_cent_more_does_not(name):
    wallet_id = new_wallet(1_000)
    set_limits(wallet_id, **{name: 300})

    assert refused_for(wallet_id, 301) == name
    spend(wallet_id, 300)

    assert balance_of(wallet_id) == 700


@pytest.mark.parametrize("name", ["daily_outflow", "monthly_outflow"])
def test_when_outflow_adds_up_to_its_limit_then_the_next_cent_is_refused(name):
    wallet_id, target_id = new_wallet(1_000), new_wallet()
    set_limits(wallet_id, **{name: 300})

    spend(wallet_id, 100)
    transfer(
        source_id=wallet_id,
        target_id=target_id,
        amount=Money(200, "USD"),
        owner_id=None,
        actor=ACTOR,
        call=unkeyed(),
    )

    assert refused_for(wallet_id, 1) == name


def test_when_a_limit_is_0_then_nothing_leaves():
    wallet_id = new_wallet(1_000)
    set_limits(wallet_id, daily_outflow=0)

    assert refused_for(wallet_id, 1) == "daily_outflow"


def test_when_the_day_and_month_turn_in_utc_then_their_counters_start_anew():
    wallet_id = new_wallet(10_000)
    set_limits(wallet_id, daily_outflow=300, monthly_outflow=500)

    def counted() -> tuple:
        row = LedgerAccount.objects.get(id=wallet_id)
        return (
            str(row.outflow_day),
            row.outflow_day_amount,
            str(row.outflow_month),
            row.outflow_month_amount,
        )

    with time_machine.travel(LAST_OF_OCTOBER, tick=False):
        spend(wallet_id, 300)
        assert refused_for(wallet_id, 1) == "daily_outflow"
        assert counted() == ("2026-10-31", 300, "2026-10-01", 300)
    with time_machine.travel(FIRST_OF_NOVEMBER, tick=False):
        spend(wallet_id, 300)
        assert counted() == ("2026-11-01", 300, "2026-11-01", 300)
    with time_machine.travel(SECOND_OF_NOVEMBER, tick=False):
        assert refused_for(wallet_id, 201) == "monthly_outflow"
        spend(wallet_id, 200)
        assert counted() == ("2026-11-02", 200, "2026-11-01", 500)
        assert refused_for(wallet_id, 1) == "monthly_outflow"


@pytest.mark.parametrize("name", ["daily_outflow", "monthly_outflow"])
def test_when_another_server_s_clock_still_has_yesterday_then_the_day_s_counter_is_not_lost(name):
    wallet_id = new_wallet(10_000)
    set_limits(wallet_id, **{name: 300})
    with time_machine.travel(FIRST_OF_NOVEMBER, tick=False):
        spend(wallet_id, 299)

    with time_machine.travel(LAST_OF_OCTOBER, tick=False):
        assert refused_for(wallet_id, 2) == name
        spend(wallet_id, 1)

    with time_machine.travel(FIRST_OF_NOVEMBER, tick=False):
        assert refused_for(wallet_id, 1) == name


def test_when_money_comes_in_by_a_charge_then_no_outflow_is_counted():
    wallet_id = new_wallet()
    set_limits(wallet_id, daily_outflow=0)

    fund(wallet_id, 500)

    row = LedgerAccount.objects.get(id=wallet_id)
    assert (row.balance, row.outflow_day_amount) == (500, 0)


def test_when_a_wallet_has_no_limits_of_its_own_then_its_currency_s_defaults_hold(settings):
    settings.DEFAULT_WALLET_LIMITS = {
        "maximum_balance": None,
        "per_transaction": {"USD": 100, "*": 70},
        "daily_outflow": {"JPY": 5},
        "monthly_outflow": None,
    }
    dollars, euros = new_wallet(1_000), new_wallet(1_000, currency="EUR")

    assert refused_for(dollars, 101) == "per_transaction"
    spend(dollars, 100)
    with nothing_moves(), pytest.raises(LimitExceeded):
        spend(euros, 71, "EUR")
    spend(euros, 70, "EUR")
    set_limits(dollars, per_transaction=500)
    spend(dollars, 500)

    assert (balance_of(dollars), balance_of(euros)) == (400, 930)
    assert limits_of(locked(euros)) == {
        "maximum_balance": None,
        "per_transaction": 70,
        "daily_outflow": None,
        "monthly_outflow": None,
        "credit": None,
    }


def test_when_limits_are_set_then_all_are_replaced_and_the_trail_tells_both():
    wallet_id = new_wallet()
    set_limits(wallet_id, per_transaction=1, credit=300)

    set_limits(wallet_id, daily_outflow=2)

    none = dict.fromkeys(("maximum_balance", "per_transaction", "daily_outflow", "monthly_outflow", "credit"))
    assert limits_of(locked(wallet_id)) == {**none, "daily_outflow": 2}
    entry = AuditEntry.objects.filter(object_id=str(wallet_id)).order_by("-id")[0]
    assert (entry.action, entry.before, entry.after) == (
        "wallet.limits_changed",
        {**none, "per_transaction": 1, "credit": 300},
        {**none, "daily_outflow": 2},
    )


def test_when_credit_is_in_use_then_it_is_not_taken_away():
    wallet_id = new_wallet(100)
    set_limits(wallet_id, credit=300)
    spend(wallet_id, 350)

    with nothing_moves(), pytest.raises(InvalidInput) as refused:
        set_limits(wallet_id, credit=249)
    set_limits(wallet_id, credit=250)

    assert refused.value.field == "credit"
    assert LedgerAccount.objects.get(id=wallet_id).floor == -250
