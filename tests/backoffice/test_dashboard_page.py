"""The dashboard's page: what each tile says and opens, what turns red, and charts that stand beside their tables."""

import re
from typing import Any

import pytest
from django.test import Client

from backoffice.charts import bar_chart
from backoffice.views import reports
from payments.dashboard import PERIODS
from tests.factories.people import someone

pytestmark = pytest.mark.django_db
FIGURES: dict[str, Any] = {
    "period": "7d",
    "since": "2041-03-08T12:00:00Z",
    "until": "2041-03-15T12:30:00Z",
    "previous_since": "2041-03-01T12:00:00Z",
    "float": [
        {"currency": "EUR", "float": 380_000, "ledger": 380_000, "difference": 0},
        {"currency": "JPY", "float": 800, "ledger": 800, "difference": 0},
    ],
    "float_at": "2041-03-15T12:29:20Z",
    "volume": [
        {"currency": "EUR", "amount": 370_000, "count": 4, "previous_amount": 100_000, "previous_count": 1},
        {"currency": "JPY", "amount": 300, "count": 1, "previous_amount": 0, "previous_count": 0},
    ],
    "volume_by_day": [
        {"date": "2041-03-08", "currency": "EUR", "amount": 250_000, "count": 1},
        {"date": "2041-03-10", "currency": "EUR", "amount": 120_000, "count": 3},
        {"date": "2041-03-15", "currency": "JPY", "amount": 300, "count": 1},
    ],
    "payments": {
        "current": {"succeeded": 3, "failed": 2, "success_rate_bp": 6000},
        "previous": {"succeeded": 2, "failed": 0, "success_rate_bp": 10_000},
    },
    "payments_by_day": [{"date": "2041-03-15", "succeeded": 1, "failed": 2}],
    "wallets_created": {"current": 5, "previous": 2},
    "active_users": {"current": 7, "previous": None},
    "failed_top_ups": {"current": 1, "previous": 0},
    "pending_refunds": {"count": 2, "oldest_at": None, "oldest_age_s": 7200, "amounts": []},
    "unknown_payments": {"count": 0, "oldest_at": None, "oldest_age_s": None},
    "webhook_backlog": {"count": 9, "oldest_at": None, "oldest_age_s": 30},
    "reconciliation": {"count": 0, "oldest_at": None, "oldest_age_s": None, "last_report_at": None},
    "invariants": {"state": "holding", "checked": [], "broken": [], "proved_at": "2041-03-15T12:29:20Z"},
}
PROVED = FIGURES["invariants"]
PROVED_WHEN = "float, floors and debts were proved at 2041-03-15 12:29:20"
TILE = re.compile(
    r'<li>\s*<(?:a|div) class="figure-tile card( is-bad)?"(?: href="([^"]*)")?>\s*'
    r'<span class="figure-name">([^<]*)</span>\s*<span class="figure-value">([^<]*)</span>\s*'
    r'<span class="figure-note([^"]*)">([^<]*)</span>'
)


def page_of(monkeypatch: pytest.MonkeyPatch, *, role: str = "finance", **changed: Any) -> str:
    monkeypatch.setattr(reports, "kept_dashboard", lambda period: {**FIGURES, **changed, "period": period})
    client = Client()
    client.force_login(someone(role))
    return client.get("/admin/dashboard/?period=7d").content.decode()


def tiles_in(page: str) -> dict[str, tuple[str, str, str, bool, str]]:
    """Find each tile: its value, note, link, whether it is red, and the colour of its comparison."""
    return {
        name: (value, note, url.replace("&amp;", "&"), bool(bad), trend.strip())
        for bad, url, name, value, trend, note in TILE.findall(page)
    }


def test_when_the_page_is_opened_then_each_tile_says_its_figure_and_opens_what_is_behind_it(monkeypatch):
    tiles = tiles_in(page_of(monkeypatch))

    assert tiles == {
        "Charges that succeeded": (
            "60.0 %",
            "3 succeeded, 2 failed; 100.0 % before",
            "/admin/payments/?created_from=2041-03-08",
            False,
            "trend-bad",
        ),
        "Wallets created": (
            "5",
            "2 in the period before",
            "/admin/wallets/?created_from=2041-03-08",
            False,
            "trend-good",
        ),
        "Active customers": (
            "7",
            "not known before",
            "/admin/transactions/?created_from=2041-03-08",
            False,
            "",
        ),
        "Failed top-ups": (
            "1",
            "0 in the period before",
            "/admin/payments/?status=failed&kind=top_up&created_from=2041-03-08",
            False,
            "trend-bad",
        ),
        "Refunds that wait": ("2", "the first one for 2 hours", "/admin/refunds/?status=pending", False, ""),
        "Unknown payments": ("0", "nothing waits", "/admin/payments/?status=pending", False, ""),
        "Webhooks that wait": (
            "9",
            "the first one for 30 seconds",
            "/admin/events/webhookdelivery/?status__exact=pending",
            False,
            "",
        ),
        "Breaks of settlement": (
            "0",
            "nothing waits",
            "/admin/reconciliation/breaks/?status=open",
            False,
            "",
        ),
        "Books": (
            "In order",
            PROVED_WHEN,
            "/admin/reconciliation/",
            False,
            "",
        ),
    }


def test_when_a_tile_is_followed_then_its_list_opens_narrowed(monkeypatch):
    client = Client()
    client.force_login(someone("finance"))

    for _value, _note, url, _bad, _trend in tiles_in(page_of(monkeypatch)).values():
        answer = client.get(url)

        assert answer.status_code == 200, url
        for given in url.partition("?")[2].split("&"):
            name, _, value = given.partition("=")
            if name in ("created_from", "kind"):
                assert re.search(
                    f'name="{name}"[^>]*value="{value}"|value="{value}" selected', answer.content.decode()
                ), url


@pytest.mark.parametrize(
    ("changed", "red"),
    [
        ({"unknown_payments": {"count": 1, "oldest_age_s": 5}}, "Unknown payments"),
        ({"reconciliation": {"count": 3, "oldest_age_s": 5}}, "Breaks of settlement"),
        ({"invariants": {**PROVED, "state": "broken", "broken": ["float_is_ledger"]}}, "Books"),
        ({"invariants": {**PROVED, "state": "late"}}, "Books"),
    ],
)
def test_when_something_is_wrong_then_its_tile_alone_is_red(monkeypatch, changed, red):
    tiles = tiles_in(page_of(monkeypatch, **changed))

    assert [name for name, tile in tiles.items() if tile[3]] == [red]


def test_when_the_float_is_not_the_ledger_then_it_is_said_by_name_and_by_how_much(monkeypatch):
    rows = [{"currency": "EUR", "float": 101, "ledger": 100, "difference": 1}]
    page = page_of(
        monkeypatch,
        float=rows,
        invariants={**PROVED, "state": "broken", "broken": ["float_is_ledger", "floors_hold"]},
    )

    assert tiles_in(page)["Books"][:2] == (
        "Broken",
        "The float isn’t what the ledger says; An account is below its floor; " + PROVED_WHEN,
    )
    assert re.search(r'state-differs">.*?0\.01', page)


def test_when_the_page_is_opened_then_it_says_as_of_when_the_float_is(monkeypatch):
    page = page_of(monkeypatch)

    assert re.search(r"As of\s+<time[^>]*2041-03-15T12:29:20", page)
    assert "roll-up is late" not in page


def test_when_the_roll_up_is_late_then_the_page_says_so_rather_than_that_the_books_are_in_order(monkeypatch):
    page = page_of(monkeypatch, invariants={**PROVED, "state": "late"})

    assert tiles_in(page)["Books"][:2] == (
        "Not proved lately",
        PROVED_WHEN,
    )
    assert re.search(r'notice-bad">The minute’s roll-up is late[^<]*<time[^>]*2041-03-15T12:29:20', page)


def test_when_a_period_has_days_then_each_currency_has_a_chart_of_its_own_and_a_table(monkeypatch):
    page = page_of(monkeypatch)

    assert re.findall(r'<svg class="chart"[^>]*aria-label="([^"]*)"', page) == [
        "Charges by day",
        "Volume by day in EUR",
        "Volume by day in JPY",
    ]
    assert "<title>2041-03-15: 2 failed</title>" in page
    assert "<title>2041-03-08: 2,500.00</title>" in page
    assert "<title>2041-03-15: 300</title>" in page
    assert page.count('<tr><td>2041-03-11</td><td class="numeric">0</td><td class="numeric">0</td></tr>') == 1
    assert page.count('<tr><td>2041-03-11</td><td class="numeric">0.00</td></tr>') == 1
    assert "style=" not in page.partition("<main")[2]


def test_when_the_lists_are_closed_to_the_reader_then_the_figure_stands_without_a_link(monkeypatch):
    tiles = tiles_in(page_of(monkeypatch, role="auditor"))

    assert {name: bool(tile[2]) for name, tile in tiles.items()} == dict.fromkeys(tiles, True)


def test_when_bars_are_drawn_then_their_heights_are_in_proportion_and_stand_on_each_other():
    chart = bar_chart(
        name="n",
        series=("a", "b"),
        rows=[("2041-03-01", (30, 10)), ("2041-03-02", (0, 0)), ("2041-03-03", (0, 20))],
        shown=str,
        short=str,
    )

    assert [mark.text for mark in chart.lines] == ["0", "10", "20", "30", "40"]
    assert [(bar.series, bar.y, bar.height, bar.label) for bar in chart.bars] == [
        (1, 50.5, 115.5, "2041-03-01: 30 a"),
        (2, 12.0, 38.5, "2041-03-01: 10 b"),
        (2, 89.0, 77.0, "2041-03-03: 20 b"),
    ]
    assert [mark.text for mark in chart.marks] == ["03-01", "03-02", "03-03"]


@pytest.mark.parametrize("period", PERIODS)
def test_when_a_period_is_opened_then_its_tab_is_marked(period):
    client = Client()
    client.force_login(someone("auditor"))

    page = client.get(f"/admin/dashboard/?period={period}").content.decode()

    assert re.findall(r'href="\?period=(\w+)" aria-current="page"', page) == [period]
