"""The float that was counted by the minute: what it holds, as of when it says so, and that it never passes for a later one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from payments.dashboard import dashboard
from payments.floats import CurrencyFloat, count_floats, known_floats
from payments.models import CurrencyFloat as Kept
from payments.tasks import roll_up_hours
from tests.factories.money import fund, new_wallet
from tests.payments.reports import unused_currency
from transactions.models import LedgerAccount, RollUpDelta
from transactions.roll_ups import roll_up

pytestmark = pytest.mark.django_db
AT = datetime(2041, 3, 15, 12, 30, tzinfo=UTC)


def of(currency: str) -> CurrencyFloat:
    return next(each for each in known_floats().currencies if each.currency == currency)


def counted_ago(age: timedelta) -> None:
    """Let the last pass over the accounts be so long ago."""
    Kept.objects.update(counted_at=F("counted_at") - age)


def test_when_money_moved_after_the_count_then_the_float_of_the_count_is_told_until_the_next_one():
    currency = unused_currency()
    wallet_id = new_wallet(700, currency=currency)
    count_floats()
    fund(wallet_id, 50)

    told = of(currency)
    count_floats()

    assert told == CurrencyFloat(currency, 700, 700, breaks_floor=False, breaks_credit_line=False)
    assert (of(currency).wallets, of(currency).ledger, of(currency).difference) == (750, 750, 0)


def test_when_system_accounts_have_waiting_deltas_then_they_are_in_the_ledger_s_side():
    currency = unused_currency()
    new_wallet(700, currency=currency)
    system = LedgerAccount.objects.filter(currency=currency, rolled_up=True)
    waiting = sum(
        RollUpDelta.objects.filter(account_id__in=system.values("id")).values_list("amount", flat=True)
    )

    count_floats()
    before = of(currency)
    roll_up()
    count_floats()

    assert (waiting, sum(account.balance for account in system.all())) == (-700, -700)
    assert (before.wallets, before.ledger) == (of(currency).wallets, of(currency).ledger) == (700, 700)


@pytest.mark.parametrize(
    ("age", "state"),
    [(timedelta(minutes=4), "holding"), (timedelta(minutes=6), "late"), (timedelta(days=2), "late")],
)
def test_when_the_count_is_old_then_the_dashboard_tells_its_moment_and_says_that_it_is_late(age, state):
    new_wallet(300)
    count_floats()
    counted_ago(age)

    told = dashboard("today", at=AT)

    assert told["invariants"]["state"] == state
    assert told["float_at"] == told["invariants"]["proved_at"]
    assert timedelta() <= AT - told["float_at"] - age < timedelta(seconds=30)


def test_when_an_old_count_was_broken_then_it_stays_broken_rather_than_late():
    new_wallet(300)
    count_floats()
    Kept.objects.update(breaks_floor=True)
    counted_ago(timedelta(hours=1))

    told = dashboard("today", at=AT)["invariants"]

    assert (told["state"], told["broken"]) == ("broken", ["floors_hold"])


def test_when_a_count_ends_after_a_later_one_then_the_later_one_stands():
    currency = unused_currency()
    new_wallet(700, currency=currency)
    count_floats()
    Kept.objects.filter(currency=currency).update(wallets=1, counted_at=F("counted_at") + timedelta(hours=1))

    count_floats()

    assert Kept.objects.get(currency=currency).wallets == 1


def test_when_the_minute_s_task_runs_then_every_currency_is_counted():
    currency = unused_currency()
    new_wallet(700, currency=currency)

    roll_up_hours()

    assert Kept.objects.get(currency=currency).wallets == 700


def test_when_the_float_is_read_then_no_account_is(django_assert_num_queries: Any):
    new_wallet(700)
    count_floats()

    with django_assert_num_queries(1) as asked:
        known_floats()

    assert "transactions_ledgeraccount" not in asked[0]["sql"]
