"""How long work waits, how old keys are, when certificates end, and what is said of a replica that is gone."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings as configured
from django.db import connection, connections
from django.test import Client

from config.gateway.figures import figures
from config.gateway.standing_figures import REPLICA, KeyFigures, ReplicaFigures, day_of
from tests.factories.money import fund
from tests.factories.people import someone
from tests.gateway.test_metrics import scrape, value
from tests.house.test_key_files import CERTIFICATE, P256, pem
from tests.payments.customers import Customer
from tests.payments.refunding import ask_for, purchase_of


@pytest.fixture(autouse=True)
def fresh_figures() -> None:
    figures.reading.until_s = 0.0


def test_when_a_row_is_overdue_then_its_wait_is_told(api: Client, db: None) -> None:
    person = someone("finance")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO backoffice_export (id, explorer, query, time_zone, rows, parts, due_at, created_at, requested_by_id)"
            " VALUES (%s, 'transfers', '', 'UTC', 0, 0, now() - interval '1000 days', now(), %s)",
            [uuid4(), person.id],
        )

    samples = scrape(api)

    assert 86_400_000 <= value(samples, "open_wallet_work_lag_seconds", kind="exports") < 86_400_600
    kinds = {dict(labels)["kind"] for name, labels in samples if name == "open_wallet_work_lag_seconds"}
    assert kinds == {"payments", "refunds", "provider_events", "top_ups", "exports"}


def test_when_a_refund_waits_for_its_decision_then_its_age_is_told(api: Client, db: None) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=2)):
        customer = Customer.with_wallet("USD")
        fund(customer.wallet_id, 5_000)
        ask_for(purchase_of(customer, 700), by=customer)

    samples = scrape(api)

    ages = {
        dict(labels)["status"]: age
        for (name, labels), age in samples.items()
        if name == "open_wallet_oldest_refund_seconds"
    }
    assert set(ages) == {"pending", "approved", "processing"}
    assert ages["pending"] >= 2 * 86_400 - 1


@pytest.mark.parametrize(
    ("key_id", "day"),
    [
        ("20260102T101112", datetime(2026, 1, 2, tzinfo=UTC)),
        ("k20261231", datetime(2026, 12, 31, tzinfo=UTC)),
        ("jwt-4f2a", None),
        ("k20261332", None),
        ("120260102", None),
    ],
)
def test_when_a_key_names_its_day_then_that_is_its_age(key_id: str, day: datetime | None) -> None:
    assert day_of(key_id) == day


def test_when_keys_and_certificates_are_scraped_then_the_ones_in_use_are_told(
    settings: Any, tmp_path: Path
) -> None:
    identity = tmp_path / "identity.pem"
    identity.write_bytes(CERTIFICATE + pem(P256))
    settings.JWT_SIGNING_KEYS = (("20260102T101112", b""), ("20250102T101112", b""))
    settings.ENCRYPTION_KEYS = (("dev1", b""),)
    settings.APPLE_PAY_MERCHANT_IDENTITY, settings.APPLE_PAY_ROOT_CA = str(identity), ""

    told = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in KeyFigures().collect()
        for sample in metric.samples
    }

    assert told == {
        ("open_wallet_key_made_timestamp_seconds", "jwt_signing"): datetime(
            2026, 1, 2, tzinfo=UTC
        ).timestamp(),
        ("open_wallet_certificate_end_timestamp_seconds", "apple_pay_merchant_identity"): datetime(
            2027, 1, 1, tzinfo=UTC
        ).timestamp(),
    }


def test_given_no_replica_then_nothing_is_said_of_one() -> None:
    assert list(ReplicaFigures().collect()) == []


def test_given_a_replica_that_doesn_t_answer_then_it_is_down(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {**deepcopy(connections["default"].settings_dict), "HOST": "127.0.0.1", "PORT": "9"}
    monkeypatch.setitem(configured.DATABASES, REPLICA, gone)
    monkeypatch.setitem(connections.settings, REPLICA, gone)
    try:
        told = {metric.name: metric.samples[0].value for metric in ReplicaFigures().collect()}
    finally:
        del connections[REPLICA]

    assert told == {"open_wallet_replica_up": 0}
