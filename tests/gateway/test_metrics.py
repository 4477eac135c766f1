"""What Prometheus scrapes."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from config.gateway.figures import FIGURES, figures

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def fresh_figures() -> Iterator[None]:
    figures.reading.until_s = 0.0
    yield
    figures.reading.until_s = 0.0


def scrape(api: Client) -> Samples:
    response = api.get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


def test_when_calls_are_answered_then_they_are_counted_by_view_method_and_status(
    api: Client, db: None
) -> None:
    labels = {"view": "health", "method": "GET"}
    before = scrape(api)

    for _ in range(3):
        api.get("/health")
    after = scrape(api)

    counted = "django_http_responses_total_by_status_view_method_total"
    timed = "django_http_requests_latency_seconds_by_view_method_count"
    assert value(after, counted, **labels, status="200") - value(before, counted, **labels, status="200") == 3
    assert value(after, timed, **labels) - value(before, timed, **labels) == 3


def test_when_a_method_is_made_up_then_it_makes_no_metric_of_its_own(api: Client, db: None) -> None:
    api.generic("BREW", "/health")

    methods = {dict(labels).get("method") for _, labels in scrape(api)}
    assert "OTHER" in methods
    assert "BREW" not in methods


def test_when_the_business_is_scraped_then_every_figure_can_be_read(api: Client, db: None) -> None:
    samples = scrape(api)

    assert value(samples, "open_wallet_figures_up") == 1
    assert value(samples, "open_wallet_accounts_below_floor") == 0
    assert {name for name, _ in samples} >= {figure.name for figure in FIGURES if not figure.labels}


def test_when_the_books_are_wrong_then_the_gauge_shows_it(api: Client, db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO transactions_ledgeraccount"
            " (id, owner_id, code, currency, rolled_up, balance, held, floor, version, last_seq, total_in, total_out,"
            "  outflow_day_amount, outflow_month_amount, created_at)"
            " VALUES (%s, %s, NULL, 'XTS', false, 1234, 0, 0, 1, 1, 1234, 0, 0, 0, now())",
            [uuid4(), uuid4()],
        )

    samples = scrape(api)

    assert value(samples, "open_wallet_books_imbalance_minor_units", currency="XTS") == 1234
    assert value(samples, "open_wallet_volume_minor_units_total", currency="XTS") == 1234


def test_when_the_database_is_away_then_the_scrape_says_so_and_keeps_the_rest(
    api: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.gateway.figures.STATEMENT_TIMEOUT_MS", "no number")

    samples = scrape(api)

    assert value(samples, "open_wallet_figures_up") == 0
    assert any(name.startswith("django_http_") for name, _ in samples)


def test_when_scrapes_follow_each_other_then_one_reading_serves_them(
    api: Client, db: None, django_assert_num_queries: object
) -> None:
    scrape(api)

    with connection.execute_wrapper(lambda *call: pytest.fail("asked the database again")):
        assert value(scrape(api), "open_wallet_figures_up") == 1
