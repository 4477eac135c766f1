"""The dashboard and the daily proof: their figures, and what they say when something is wrong."""

from typing import Any

import pytest
from django.core.cache import cache

from payments import dashboard as dashboards
from payments.dashboard import PERIODS, dashboard
from payments.floats import count_floats
from payments.settlement_days import SettlementDay, settlement_days
from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.money import fund
from tests.factories.people import someone
from tests.payments.customers import DECLINED, TIMES_OUT, Customer
from tests.payments.refunding import approve, ask_for, deposit_of, purchase_of


@pytest.fixture
def finance(committed: None) -> ApiClient:
    return ApiClient(someone("finance"))


def of_dollars(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Find the row of US dollars; zeros where there is none."""
    found = [row for row in rows if row["currency"] == "USD"]
    return found[0] if found else dict.fromkeys(("float", "ledger", "amount", "count", "difference"), 0)


def today_of(processor: str = "sandbox") -> SettlementDay:
    return next(row for row in settlement_days(days=1) if (row.processor, row.currency) == (processor, "USD"))


def test_when_money_comes_in_and_is_spent_then_float_ledger_volume_and_people_say_so(committed):
    count_floats()
    before = dashboard("today")

    customer = Customer.with_wallet("USD")
    deposit_of(customer, 2500)
    purchase_of(customer, 400)

    count_floats()
    after = dashboard("today")
    float_before, float_after = of_dollars(before["float"]), of_dollars(after["float"])
    volume_before, volume_after = of_dollars(before["volume"]), of_dollars(after["volume"])
    assert float_after["float"] - float_before["float"] == 2100
    assert float_after["ledger"] - float_before["ledger"] == 2100
    assert float_after["difference"] == 0
    assert volume_after["amount"] - volume_before["amount"] == 2900
    assert volume_after["count"] - volume_before["count"] == 2
    assert after["wallets_created"]["current"] - before["wallets_created"]["current"] == 1
    assert after["active_users"]["current"] - before["active_users"]["current"] == 1
    assert after["invariants"] == {
        "state": "holding",
        "checked": ["float_is_ledger", "floors_hold", "debts_are_below_the_credit_line"],
        "broken": [],
        "proved_at": after["float_at"],
    }


def test_when_charges_succeed_fail_and_stay_unknown_then_each_is_counted_as_what_it_is(customer):
    before = dashboard("today")

    customer.top_up(customer.card().id, 100)
    customer.top_up(customer.card(DECLINED).id, 100, kind="top_up")
    customer.top_up(customer.card(TIMES_OUT).id, 100)

    after = dashboard("today")
    was, is_now = before["payments"]["current"], after["payments"]["current"]
    assert (is_now["succeeded"] - was["succeeded"], is_now["failed"] - was["failed"]) == (1, 1)
    decided = is_now["succeeded"] + is_now["failed"]
    assert is_now["success_rate_bp"] == is_now["succeeded"] * 10_000 // decided
    assert after["failed_top_ups"]["current"] - before["failed_top_ups"]["current"] == 1
    assert after["unknown_payments"]["count"] - before["unknown_payments"]["count"] == 1


def test_when_a_refund_waits_then_it_is_counted_with_its_amount_and_age(customer):
    before = dashboard("today")["pending_refunds"]

    ask_for(deposit_of(customer, 2500).transaction_id, 700, by=customer)

    after = dashboard("today")["pending_refunds"]
    assert after["count"] - before["count"] == 1
    assert of_dollars(after["amounts"])["amount"] - of_dollars(before["amounts"])["amount"] == 700
    assert after["oldest_at"] is not None
    assert after["oldest_age_s"] >= 0


@pytest.mark.parametrize("period", PERIODS)
def test_when_a_period_is_asked_for_then_the_one_before_is_as_long_as_its_days(finance, period):
    cache.clear()

    with nothing_moves():
        answer = finance.get(f"/admin/dashboard?period={period}")

    body = answer.json()
    assert (answer.status_code, body["period"]) == (200, period)
    assert body["previous_since"] < body["since"] < body["until"]


def test_when_the_dashboard_is_read_twice_then_the_second_answer_is_the_kept_one(finance, monkeypatch):
    cache.clear()
    first = finance.get("/admin/dashboard").json()
    monkeypatch.setattr(dashboards, "dashboard", lambda period: pytest.fail("it was read again"))

    second = finance.get("/admin/dashboard").json()

    assert second == first


@pytest.mark.parametrize("path", ["/admin/dashboard?period=year", "/admin/reconciliation?days=93"])
def test_when_the_period_is_unknown_or_too_long_then_it_is_refused(finance, path):
    with nothing_moves():
        answer = finance.get(path)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_when_charges_and_refunds_are_in_the_book_then_the_day_agrees_with_them(customer):
    payment = deposit_of(customer, 1000)
    before = today_of()

    deposit_of(customer, 2500)
    approve(ask_for(payment.transaction_id, 300, by=customer))

    after = today_of()
    assert after.came_in - before.came_in == 2500
    assert after.ledger - before.ledger in (2500, 2200)
    assert after.ledger - before.ledger == after.documents - before.documents
    assert after.breaks == before.breaks


def test_when_the_book_has_a_charge_that_no_payment_is_behind_then_its_day_has_a_break(customer):
    deposit_of(customer, 1000)
    before = today_of()

    fund(customer.wallet_id, 700)

    after = today_of()
    assert (after.ledger - before.ledger, after.documents - before.documents) == (700, 0)
    assert (after.difference - before.difference, after.breaks - before.breaks) == (700, 1)


def test_when_days_are_asked_for_then_each_row_has_its_fields_and_breaks_are_summed(finance, customer):
    deposit_of(customer, 1000)

    answer = finance.get("/admin/reconciliation?days=1")

    body = answer.json()
    assert answer.status_code == 200
    assert list(body["results"][0]) == [
        "date",
        "processor",
        "currency",
        "came_in",
        "went_out",
        "ledger",
        "documents",
        "difference",
        "movements",
        "breaks",
        "proved_at",
        "closed_at",
        "changed_at",
        "ledger_at_closing",
        "documents_at_closing",
    ]
    assert body["breaks"] == sum(row["breaks"] for row in body["results"])
