"""The quotas of the API."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings
from redis.exceptions import RedisError

from config.gateway import rate_counters
from config.gateway.rate_limits import is_payment_call
from config.value_forms import Rate
from events import redis_link

WINDOW_S = 900
LIMITS = {
    "global": Rate(5, WINDOW_S),
    "user": Rate(4, WINDOW_S),
    "payment": Rate(2, WINDOW_S),
    "service": Rate(7, WINDOW_S),
    "login": None,
}


@pytest.fixture(params=["redis", "postgresql"])
def limited(request: pytest.FixtureRequest, settings: Settings, api: Client, db: None) -> Client:
    """A client under small quotas, counted in each of the two ways."""
    settings.RATE_LIMITS = dict(LIMITS)
    if request.param == "redis":
        assert settings.REDIS_URL, "the quotas are counted in Redis too: REDIS_URL is needed"
    else:
        settings.REDIS_URL = ""
    return api


def statuses(calls: int, call: Callable[[], Any]) -> list[int]:
    return [call().status_code for _ in range(calls)]


def names(header: str) -> list[str]:
    return [part.split(";")[0].strip(' "') for part in header.split(",")]


def test_when_an_address_calls_too_often_then_it_is_429_with_all_headers(limited: Client) -> None:
    first = limited.get("/api/v1/echo")
    others = statuses(4, lambda: limited.get("/api/v1/echo"))
    refused = limited.get("/api/v1/echo")

    assert (first.status_code, others, refused.status_code) == (200, [200] * 4, 429)
    assert first["RateLimit-Policy"] == '"global";q=5;w=900'
    assert first["RateLimit"].startswith('"global";r=4;t=')
    assert refused["RateLimit-Policy"] == '"global";q=5;w=900'
    assert refused["RateLimit"].startswith('"global";r=0;t=')
    left_s = int(refused["RateLimit"].split("t=")[1])
    assert 1 <= left_s <= WINDOW_S
    assert int(refused["Retry-After"]) >= left_s
    assert refused.json()["code"] == "rate_limited"
    assert refused.json()["advice"] == "retry_later"


def test_when_the_window_is_over_then_the_quota_is_whole_again(limited: Client) -> None:
    with time_machine.travel("2026-10-01T12:00:00Z", tick=False) as clock:
        before = statuses(6, lambda: limited.get("/api/v1/echo"))
        wait_s = int(limited.get("/api/v1/echo")["Retry-After"])
        clock.shift(wait_s - 1)
        almost = limited.get("/api/v1/echo").status_code
        clock.shift(2)
        after = limited.get("/api/v1/echo").status_code

    assert (before, almost, after) == ([200] * 5 + [429], 429, 200)


def test_when_addresses_differ_then_each_has_its_own_quota(limited: Client) -> None:
    first = statuses(6, lambda: limited.get("/api/v1/echo", REMOTE_ADDR="192.0.2.1"))
    second = statuses(6, lambda: limited.get("/api/v1/echo", REMOTE_ADDR="192.0.2.2"))

    assert first == second == [200] * 5 + [429]


def test_when_ipv6_addresses_share_a_site_then_they_share_a_quota(limited: Client) -> None:
    same_site = [
        limited.get("/api/v1/echo", REMOTE_ADDR=f"2001:db8:1:2::{n}").status_code for n in range(1, 7)
    ]
    other_site = limited.get("/api/v1/echo", REMOTE_ADDR="2001:db8:1:3::1").status_code

    assert (same_site, other_site) == ([200] * 5 + [429], 200)


def test_when_no_proxy_is_trusted_then_a_forged_address_changes_nothing(limited: Client) -> None:
    forged = [
        limited.get("/api/v1/echo", headers={"X-Forwarded-For": f"203.0.113.{n}"}).status_code
        for n in range(6)
    ]

    assert forged == [200] * 5 + [429]


def test_when_a_proxy_is_trusted_then_the_address_that_it_saw_counts(
    limited: Client, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = 1
    same_client = [
        limited.get("/api/v1/echo", headers={"X-Forwarded-For": f"10.0.0.{n}, 203.0.113.1"}).status_code
        for n in range(6)
    ]
    other_client = limited.get("/api/v1/echo", headers={"X-Forwarded-For": "203.0.113.2"}).status_code

    assert (same_client, other_client) == ([200] * 5 + [429], 200)


def test_when_a_user_calls_from_many_addresses_then_the_users_quota_holds(
    limited: Client, signed_in: Callable[[str], UUID]
) -> None:
    signed_in("user")

    answers = [limited.get("/api/v1/whoami", REMOTE_ADDR=f"192.0.2.{n}") for n in range(1, 6)]

    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert names(answers[0]["RateLimit-Policy"]) == names(answers[0]["RateLimit"]) == ["global", "user"]
    assert answers[0]["RateLimit-Policy"] == '"global";q=5;w=900, "user";q=4;w=900'


@pytest.mark.parametrize(
    "path",
    ["/api/v1/payment/echo", "/api/v1/payment/echo/", "/api/v1/wallet/one/fund", "/api/v1/tokens/echo"],
)
def test_when_a_user_pays_too_often_then_only_payments_are_refused(
    limited: Client, signed_in: Callable[[str], UUID], path: str
) -> None:
    signed_in("user")

    paid = [limited.post(path, data={}, content_type="application/json") for _ in range(3)]
    read = limited.get("/api/v1/whoami")

    assert [answer.status_code for answer in paid] == [200, 200, 429]
    assert names(paid[0]["RateLimit"]) == ["global", "user", "payment"]
    assert (read.status_code, names(read["RateLimit"])) == (200, ["global", "user"])


def test_when_a_service_client_calls_then_its_own_quota_replaces_the_others(
    limited: Client, signed_in: Callable[[str], UUID]
) -> None:
    signed_in("service")

    answers = [
        limited.post("/api/v1/payment/echo", data={}, content_type="application/json") for _ in range(8)
    ]

    assert [answer.status_code for answer in answers] == [200] * 7 + [429]
    assert answers[0]["RateLimit-Policy"] == '"service";q=7;w=900'


@pytest.mark.parametrize("path", ["/api/v1/payment/webhooks/echo", "/api/v1/payment/webhooks/echo/"])
def test_when_a_provider_calls_back_then_it_is_not_counted(limited: Client, path: str) -> None:
    answers = [limited.post(path, data={}, content_type="application/json") for _ in range(8)]

    assert [answer.status_code for answer in answers] == [200] * 8
    assert "RateLimit" not in answers[0]


@pytest.mark.parametrize("path", ["/health", "/metrics", "/docs/errors", "/page"])
def test_when_it_is_not_the_api_then_it_is_not_counted(limited: Client, path: str) -> None:
    assert statuses(8, lambda: limited.get(path)) == [200] * 8


def test_when_calls_are_refused_before_the_throttle_then_they_are_counted_still(limited: Client) -> None:
    guesses = [limited.get("/api/v1/whoami", headers={"Authorization": "Bearer junk"}) for _ in range(6)]
    then = limited.get("/api/v1/echo")

    assert [guess.status_code for guess in guesses] == [401] * 6
    assert guesses[0]["RateLimit"].startswith('"global";r=4;t=')
    assert then.status_code == 429


def test_when_a_refused_call_can_not_be_counted_then_it_is_refused_still(
    api: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMITS = dict(LIMITS)

    def fail(lasts_s: dict[str, int]) -> dict[str, int]:
        raise OperationalError("the database is away")

    monkeypatch.setattr("config.gateway.rate_limits.count", fail)

    assert api.get("/api/v1/whoami").status_code == 401
    assert api.get("/api/v1/echo").status_code == 503


def test_when_a_quota_is_off_then_it_is_not_counted(limited: Client, settings: Settings) -> None:
    settings.RATE_LIMITS = {**LIMITS, "global": None}

    answers = [limited.get("/api/v1/echo") for _ in range(8)]

    assert [answer.status_code for answer in answers] == [200] * 8
    assert "RateLimit" not in answers[0]
    assert "RateLimit-Policy" not in answers[0]


@pytest.mark.parametrize(
    ("method", "path", "is_payment"),
    [
        ("POST", "/api/v1/payment/apple-pay/init", True),
        ("POST", "/api/v1/payment/apple-pay/process", True),
        ("GET", "/api/v1/payment/1", False),
        ("DELETE", "/api/v1/payment/session/1", False),
        ("POST", "/api/v1/tokens/card", True),
        ("GET", "/api/v1/tokens", False),
        ("POST", "/api/v1/wallet/1/fund", True),
        ("POST", "/api/v1/wallet/1/pay", False),
        ("POST", "/api/v1/wallet/transfer", False),
    ],
)
def test_when_a_call_is_classed_then_payments_are_those_that_charge(
    method: str,
    path: str,
    is_payment: bool,
) -> None:
    assert is_payment_call(method, path) is is_payment


def test_when_redis_is_lost_then_postgresql_goes_on_counting(
    api: Client,
    settings: Settings,
    db: None,
    monkeypatch: pytest.MonkeyPatch,
    log_lines: list[dict[str, Any]],
) -> None:
    settings.RATE_LIMITS = dict(LIMITS)
    monkeypatch.setattr(rate_counters, "link", redis_link.RedisLink())

    def refuse(alias: str) -> None:
        raise RedisError("connection refused")

    monkeypatch.setattr(redis_link, "get_redis_connection", refuse)

    answers = statuses(6, lambda: api.get("/api/v1/echo"))

    assert answers == [200] * 5 + [429]
    warnings = [line for line in log_lines if line["event"] == "redis_unavailable"]
    assert [(line["level"], line["reason"]) for line in warnings] == [("warning", "RedisError")]
