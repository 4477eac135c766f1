"""The daily proof's page: when each day was proved, what has changed since it was closed, and what is late."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from backoffice.views import reports
from events.clock import now
from payments.settlement_days import SettlementDay
from tests.factories.people import someone

pytestmark = pytest.mark.django_db
PROVED = re.compile(r"<td>(just now|<time[^>]*T[^>]*>)")
CLOSED = datetime(2041, 3, 15, 0, 2, tzinfo=UTC)


def day(**changed: Any) -> SettlementDay:
    facts: dict[str, Any] = {
        "date": date(2041, 3, 14),
        "processor": "sandbox",
        "currency": "EUR",
        "came_in": 250_000,
        "went_out": 50_000,
        "documents": 200_000,
        "movements": 7,
        "breaks": 0,
        "proved_at": now(),
        "closed_at": CLOSED,
        "ledger_at_closing": 200_000,
        "documents_at_closing": 200_000,
    }
    return SettlementDay(**{**facts, **changed})


def page_of(monkeypatch: pytest.MonkeyPatch, *rows: SettlementDay) -> str:
    monkeypatch.setattr(reports, "settlement_days", lambda days: list(rows))
    client = Client()
    client.force_login(someone("finance"))
    return client.get("/admin/reconciliation/").content.decode()


def test_when_days_are_in_order_then_each_says_when_it_was_proved_and_nothing_warns(monkeypatch):
    proved_at = now().replace(microsecond=0) - timedelta(hours=2)
    page = page_of(monkeypatch, day(date=date(2041, 3, 15), closed_at=None), day(proved_at=proved_at))

    assert PROVED.findall(page)[0] == "just now"
    assert f"{proved_at:%Y-%m-%dT%H:%M:%S}" in PROVED.findall(page)[1]
    assert "notice-bad" not in page
    assert "changed" not in page.partition("<main")[2]


def test_when_a_day_has_changed_since_it_was_closed_then_the_page_says_so_and_what_it_said_then(monkeypatch):
    page = page_of(
        monkeypatch, day(changed_at=CLOSED, came_in=275_000, breaks=1), day(date=date(2041, 3, 13))
    )

    told = [re.sub(r"<[^>]*>", "", line) for line in re.findall(r"<li>(2041-.*?)</li>", page)]
    before, after = "2,000.00&nbsp;EUR / 2,000.00&nbsp;EUR", "2,250.00&nbsp;EUR / 2,000.00&nbsp;EUR"
    assert told == [f"2041-03-14 sandbox: when it was closed {before}, now {after}"]
    assert page.count('state-differs">changed</span>') == 1


def test_when_a_day_was_proved_too_long_ago_then_the_page_says_since_when(monkeypatch):
    long_ago = now() - timedelta(days=3)
    page = page_of(monkeypatch, day(), day(date=date(2041, 3, 13), proved_at=long_ago))

    assert re.search(
        rf'notice-bad">Closed days are proved late[^<]*<time[^>]*{long_ago:%Y-%m-%dT%H:%M:%S}', page
    )
