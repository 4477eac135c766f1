"""Whether the process lives, and whether it can serve."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from config.gateway import health


@pytest.fixture(autouse=True)
def forgotten_migrations() -> Iterator[None]:
    shipped = health._shipped_migrations
    shipped.cache_clear()
    yield
    shipped.cache_clear()


def fail(*arguments: Any, **options: Any) -> Any:
    raise OperationalError("connection to 10.1.2.3 refused for user ow")


def test_when_the_process_lives_then_it_says_so_without_asking_anything(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "cursor", fail)

    response = api.get("/health")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_when_every_part_works_then_it_is_ready(api: Client, db: None) -> None:
    response = api.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "parts": {"database": "ok", "migrations": "ok", "partitions": "ok", "cache": "ok", "broker": "ok"},
    }


def test_when_there_is_no_redis_then_it_is_ready_without(api: Client, db: None, settings: Settings) -> None:
    settings.REDIS_URL = ""

    response = api.get("/health/ready")

    assert response.status_code == 200
    assert response.json()["parts"] == {
        "database": "ok",
        "migrations": "ok",
        "partitions": "ok",
        "cache": "not_used",
        "broker": "not_used",
    }


@pytest.mark.parametrize("part", ["database", "migrations", "partitions", "cache", "broker"])
def test_when_a_part_fails_then_503_names_it_and_tells_nothing_else(
    api: Client, db: None, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setitem(health.PARTS, part, fail)

    response = api.get("/health/ready")

    body = response.json()
    assert (response.status_code, body["code"]) == (503, "unavailable")
    assert body["detail"] == f"Not ready: {part}."
    assert body["failing"] == [part]
    assert body["parts"] == {**dict.fromkeys(health.PARTS, "ok"), part: "failed"}
    assert b"10.1.2.3" not in response.content


def test_when_a_migration_has_not_run_then_it_is_not_ready(
    api: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = health._shipped_migrations() | {("wallets", "9999_later")}
    monkeypatch.setattr(health, "_shipped_migrations", lambda: shipped)

    response = api.get("/health/ready")

    assert (response.status_code, response.json()["failing"]) == (503, ["migrations"])
    assert response.json()["parts"]["migrations"] == "pending"


@pytest.mark.parametrize(("part", "state"), [("cache", "failed"), ("broker", "failed")])
def test_when_redis_is_away_then_the_part_has_failed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, part: str, state: str
) -> None:
    # Port 1 answers nobody.
    if part == "cache":
        settings.CACHES = {
            "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
        }
    else:
        from celery import Celery

        monkeypatch.setattr(health, "celery_app", Celery(broker="redis://127.0.0.1:1/0"))

    assert health.state_of(part) == state


def test_when_this_month_has_no_partition_then_it_is_not_ready(
    api: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "missing_ahead", lambda *, months: ["events_event_2031_01"])

    response = api.get("/health/ready")

    assert (response.status_code, response.json()["failing"]) == (503, ["partitions"])
    assert response.json()["parts"]["partitions"] == "missing"
