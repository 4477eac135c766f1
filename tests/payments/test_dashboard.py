"""The dashboard, figure by figure: a small scene in a year of its own, read as it happens and after it was rolled up."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone

from payments.dashboard import dashboard
from payments.floats import count_floats
from payments.hour_figures import roll_up_figures
from payments.models import FiguresPlace, HourFigures, Payment, PaymentKind, PaymentMethod
from payments.processors.contract import Declined, RetryClass, Succeeded
from payments.topups import open_payment, settle_payment
from tests.factories.calls import ACTOR, unkeyed
from tests.factories.holds import staff
from tests.factories.money import locked, new_wallet
from tests.payments.conftest import Clock
from tests.payments.refunding import ask_for
from tests.payments.reports import charged, imported, unused_currency
from transactions.models import LedgerAccount
from transactions.money import Money
from wallets.transfers import pay, transfer

pytestmark = pytest.mark.django_db
NOW = datetime(2041, 3, 15, 12, 30, tzinfo=UTC)


def opened(wallet_id: UUID, amount: int, kind: PaymentKind = PaymentKind.FUNDING) -> Payment:
    """Open a charge that nobody knows the end of yet."""
    with transaction.atomic():
        wallet = locked(wallet_id)
        return open_payment(
            wallet=wallet,
            amount=Money(amount, wallet.currency),
            token=None,
            kind=kind,
            method=PaymentMethod.CARD,
            actor=ACTOR,
        )


def declined(wallet_id: UUID, kind: PaymentKind) -> None:
    """Have a charge declined."""
    payment = opened(wallet_id, 100, kind)
    no = Declined("generic_decline", RetryClass.LATER, reference=f"pi_{payment.id}")
    settle_payment(payment_id=payment.id, outcome=no, actor=ACTOR)


def place_at(moment: datetime) -> None:
    """Begin the roll-up of this test's year there, as if everything before it were closed."""
    FiguresPlace.objects.update_or_create(
        id=1, defaults={"next_hour": moment, "audit_to": UUID(int=2**128 - 1)}
    )


@pytest.fixture
def scene(set_clock: Clock) -> dict[str, UUID]:
    """A fortnight of three customers, two of them in euros and one in yen; gives their wallets."""
    place_at(NOW.replace(minute=0) - timedelta(days=181))
    set_clock(datetime(2041, 3, 2, 10, tzinfo=UTC))
    ada = new_wallet(currency="EUR")
    charged(ada, 1000)
    set_clock(datetime(2041, 3, 8, 11, 59, 58, tzinfo=UTC))
    ben = new_wallet(currency="JPY")
    charged(ben, 500)
    set_clock(datetime(2041, 3, 8, 12, 0, 0, tzinfo=UTC))
    cleo = new_wallet(currency="EUR")
    charged(cleo, 2500)
    set_clock(datetime(2041, 3, 10, 0, 30, tzinfo=UTC))
    charged(ada, 700)
    whose = {"owner_id": None, "actor": ACTOR, "call": unkeyed()}
    pay(wallet_id=ada, amount=Money(400, "EUR"), **whose)
    transfer(source_id=ada, target_id=cleo, amount=Money(100, "EUR"), **whose)
    set_clock(NOW - timedelta(minutes=20))
    charged(ben, 300)
    declined(cleo, PaymentKind.TOP_UP)
    declined(ada, PaymentKind.FUNDING)
    return {"ada": ada, "ben": ben, "cleo": cleo}


def of_period(figures: dict[str, Any]) -> dict[str, Any]:
    """Keep what a period says, without what waits now."""
    names = (
        "volume",
        "volume_by_day",
        "payments",
        "payments_by_day",
        "wallets_created",
        "active_users",
        "failed_top_ups",
    )
    return {name: figures[name] for name in names}


def volume_of(
    currency: str, amount: int, count: int, before: int = 0, count_before: int = 0
) -> dict[str, Any]:
    return {
        "currency": currency,
        "amount": amount,
        "count": count,
        "previous_amount": before,
        "previous_count": count_before,
    }


def test_when_a_week_is_asked_for_then_every_figure_is_what_happened_in_it(scene):
    figures = dashboard("7d", at=NOW)

    assert (figures["since"], figures["until"]) == (datetime(2041, 3, 8, 12, tzinfo=UTC), NOW)
    assert figures["previous_since"] == datetime(2041, 3, 1, 12, tzinfo=UTC)
    assert figures["volume"] == [volume_of("EUR", 3700, 4, 1000, 1), volume_of("JPY", 300, 1, 500, 1)]
    assert [
        (str(day["date"]), day["currency"], day["amount"], day["count"]) for day in figures["volume_by_day"]
    ] == [
        ("2041-03-08", "EUR", 2500, 1),
        ("2041-03-10", "EUR", 1200, 3),
        ("2041-03-15", "JPY", 300, 1),
    ]
    assert figures["payments"] == {
        "current": {"succeeded": 3, "failed": 2, "success_rate_bp": 6000},
        "previous": {"succeeded": 2, "failed": 0, "success_rate_bp": 10_000},
    }
    by_day = [(str(day["date"]), day["succeeded"], day["failed"]) for day in figures["payments_by_day"]]
    assert by_day == [("2041-03-08", 1, 0), ("2041-03-10", 1, 0), ("2041-03-15", 1, 2)]
    assert figures["wallets_created"] == {"current": 1, "previous": 2}
    assert figures["active_users"]["current"] == 3
    assert figures["failed_top_ups"] == {"current": 1, "previous": 0}


@pytest.mark.parametrize(
    ("period", "volume", "charges", "wallets", "active", "failed"),
    [
        ("today", [volume_of("JPY", 300, 1)], ((1, 2, 3333), (0, 0, None)), (0, 0), 3, (1, 0)),
        (
            "30d",
            [volume_of("EUR", 4700, 5), volume_of("JPY", 800, 2)],
            ((5, 2, 7142), (0, 0, None)),
            (3, 0),
            3,
            (1, 0),
        ),
        (
            "90d",
            [volume_of("EUR", 4700, 5), volume_of("JPY", 800, 2)],
            ((5, 2, 7142), (0, 0, None)),
            (3, 0),
            3,
            (1, 0),
        ),
    ],
)
def test_when_another_period_is_asked_for_then_its_figures_are_those_of_its_days(
    scene, period, volume, charges, wallets, active, failed
):
    figures = dashboard(period, at=NOW)

    assert figures["volume"] == volume
    told = [figures["payments"][which] for which in ("current", "previous")]
    assert tuple(tuple(one.values()) for one in told) == charges
    assert tuple(figures["wallets_created"].values()) == wallets
    assert figures["active_users"]["current"] == active
    assert tuple(figures["failed_top_ups"].values()) == failed


def test_when_hours_are_rolled_up_then_every_figure_stays_and_the_people_before_are_known(scene, set_clock):
    place_at(datetime(2041, 3, 1, 12, tzinfo=UTC))
    before = of_period(dashboard("7d", at=NOW))
    set_clock(NOW)

    hours = roll_up_figures(at=NOW)

    after = of_period(dashboard("7d", at=NOW))
    assert hours == 14 * 24
    assert FiguresPlace.objects.get().next_hour == NOW.replace(minute=0)
    assert (before["active_users"], after["active_users"]) == (
        {"current": 3, "previous": None},
        {"current": 3, "previous": 2},
    )
    assert {**before, "active_users": 0} == {**after, "active_users": 0}
    assert roll_up_figures(at=NOW) == 0


def test_when_a_charge_is_settled_after_its_hour_was_closed_then_the_hour_is_counted_anew(scene, set_clock):
    late = datetime(2041, 3, 14, 9, 15, tzinfo=UTC)
    set_clock(late)
    payment = opened(scene["ada"], 900)
    place_at(datetime(2041, 3, 1, 12, tzinfo=UTC))
    set_clock(NOW)
    roll_up_figures(at=NOW)
    was = dashboard("7d", at=NOW)
    FiguresPlace.objects.update(audit_to=UUID(int=0))
    settled = Succeeded(reference=f"pi_{payment.id}", amount=Money(900, "EUR"))
    settle_payment(payment_id=payment.id, outcome=settled, actor=ACTOR)

    roll_up_figures(at=NOW)

    told = dashboard("7d", at=NOW)
    assert HourFigures.objects.get(hour=late.replace(minute=0)).succeeded == 1
    assert told["payments"]["current"]["succeeded"] - was["payments"]["current"]["succeeded"] == 1
    assert told["volume"][0]["amount"] - was["volume"][0]["amount"] == 900


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Pacific/Kiritimati", "America/St_Johns"])
def test_when_the_reader_lives_in_another_zone_then_days_are_utc_s_all_the_same(scene, set_clock, zone):
    midnight = datetime(2041, 3, 11, tzinfo=UTC)
    last = midnight - timedelta(microseconds=1)
    with timezone.override(zone):
        on_the_day, on_the_next = dashboard("today", at=last), dashboard("today", at=midnight)
        place_at(datetime(2041, 3, 10, tzinfo=UTC))
        set_clock(NOW)
        roll_up_figures(at=NOW)
        rolled_up = dashboard("7d", at=NOW)["volume_by_day"]

    assert on_the_day["volume"] == [volume_of("EUR", 1200, 3)]
    assert on_the_next["volume"] == [volume_of("EUR", 0, 0, 1200, 3)]
    assert [(str(day["date"]), day["amount"]) for day in rolled_up] == [
        ("2041-03-10", 1200),
        ("2041-03-15", 300),
    ]


def test_when_money_stands_in_two_currencies_then_the_float_of_each_is_its_own(scene):
    wallets = LedgerAccount.objects.filter(id__in=scene.values())
    expected = {"EUR": 1000 + 2500 + 700 - 400, "JPY": 800}
    count_floats()
    was = {row["currency"]: row for row in dashboard("today", at=NOW)["float"]}

    charged(scene["ben"], 50)
    count_floats()

    now_is = {row["currency"]: row for row in dashboard("today", at=NOW)["float"]}
    for currency, amount in expected.items():
        assert (
            sum(wallet.balance for wallet in wallets.filter(currency=currency))
            - (50 if currency == "JPY" else 0)
            == amount
        )
    assert now_is["JPY"]["float"] - was["JPY"]["float"] == 50
    assert now_is["JPY"]["ledger"] - was["JPY"]["ledger"] == 50
    assert now_is["EUR"] == was["EUR"]
    assert {row["difference"] for row in now_is.values()} == {0}


def test_when_things_wait_then_each_is_counted_with_its_age(scene, set_clock):
    was = dashboard("today", at=NOW)
    set_clock(NOW - timedelta(minutes=10))
    opened(scene["ada"], 100)
    refund = ask_for(charged(scene["ada"], 800).transaction_id, 250, by=staff("support"))
    imported(currency=unused_currency())

    told = dashboard("today", at=NOW)

    assert told["unknown_payments"]["count"] - was["unknown_payments"]["count"] == 1
    assert told["pending_refunds"]["count"] - was["pending_refunds"]["count"] == 1
    amounts = [{row["currency"]: row for row in one["pending_refunds"]["amounts"]} for one in (was, told)]
    empty = {"amount": 0, "count": 0}
    assert amounts[1]["EUR"]["amount"] - amounts[0].get("EUR", empty)["amount"] == refund.amount == 250
    assert told["reconciliation"]["count"] == was["reconciliation"]["count"]
    assert told["reconciliation"]["last_report_at"] >= NOW - timedelta(minutes=10)
    if was["unknown_payments"]["count"] == 0:
        assert 590 <= told["unknown_payments"]["oldest_age_s"] <= 600


def test_when_a_break_is_open_then_it_is_counted_until_it_is_resolved(scene):
    currency = unused_currency()
    was = dashboard("today", at=NOW)["reconciliation"]["count"]
    charged(new_wallet(currency=currency), 100)
    imported(currency=currency)

    assert dashboard("today", at=NOW)["reconciliation"]["count"] - was == 1
