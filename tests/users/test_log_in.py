"""Logging in: who gets tokens, and how little the others learn."""

import time
from datetime import UTC, datetime
from statistics import median
from typing import Any
from unittest.mock import ANY

import jwt
import pytest
from django.conf import LazySettings, settings

from config.value_forms import Rate
from tests.factories.staff import code_of, enrol
from tests.users.conftest import PASSWORD
from users.models import RefreshFamily
from users.refusals import WrongLogin
from users.roles import ROLES
from users.signing_in import log_in

pytestmark = pytest.mark.django_db


def claims_of(token: str) -> dict[str, Any]:
    """Read the claims without verifying them."""
    return jwt.decode(token, options={"verify_signature": False})


def test_when_the_password_is_right_then_a_session_opens(post: Any, new_user: Any) -> None:
    user = new_user(email="carol@example.com")
    before = int(datetime.now(UTC).timestamp())

    answer = post("/auth/token", {"email": "Carol@Example.com", "password": PASSWORD})

    assert answer.status_code == 200
    assert answer.json() == {"access": ANY, "refresh": ANY, "token_type": "Bearer", "expires_in": 900}
    claims = claims_of(answer.json()["access"])
    assert claims == {
        "sub": str(user.id),
        "role": "user",
        "permissions": sorted(ROLES["user"]),
        "iat": claims["iat"],
        "exp": claims["iat"] + 900,
        "jti": claims["jti"],
        "iss": "http://localhost:8000",
        "aud": "http://localhost:8000/api/v1",
    }
    assert before <= claims["iat"] <= before + 5
    assert jwt.get_unverified_header(answer.json()["access"]) == {
        "alg": "EdDSA",
        "kid": settings.JWT_SIGNING_KEYS[0][0],
        "typ": "at+jwt",
    }
    family = RefreshFamily.objects.get()
    assert (family.user_id, family.revoked_at) == (user.id, None)


def test_when_a_service_client_logs_in_then_its_scopes_bound_its_permissions(
    post: Any, new_client: Any
) -> None:
    shop = new_client(client_id="shop", scopes=["wallet:read", "wallet:manage"])

    answer = post("/auth/token", {"client_id": "shop", "client_secret": PASSWORD})

    assert answer.status_code == 200
    claims = claims_of(answer.json()["access"])
    assert (claims["sub"], claims["role"]) == (str(shop.id), "service")
    assert claims["permissions"] == ["wallet:manage", "wallet:read"]


@pytest.mark.parametrize("kind", ["unknown", "wrong", "inactive"])
def test_when_a_log_in_fails_then_its_answer_does_not_say_why(post: Any, new_user: Any, kind: str) -> None:
    new_user(email="carol@example.com", is_active=kind != "inactive")
    email = "nobody@example.com" if kind == "unknown" else "carol@example.com"
    password = PASSWORD if kind == "inactive" else "something else altogether"

    answer = post("/auth/token", {"email": email, "password": password}, **{"x-request-id": "the-same-id"})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    body = answer.json()
    assert (body["code"], body["detail"]) == (
        "not_authenticated",
        "These credentials do not open an account.",
    )
    assert (body["errors"], body["request_id"]) == ([], "the-same-id")
    assert not RefreshFamily.objects.exists()


@pytest.mark.parametrize("kind", ["unknown", "wrong", "inactive"])
def test_when_a_client_log_in_fails_then_its_answer_does_not_say_why(
    post: Any, new_client: Any, kind: str
) -> None:
    new_client(client_id="shop", is_active=kind != "inactive")
    client_id = "nobody" if kind == "unknown" else "shop"
    secret = PASSWORD if kind == "inactive" else "something else altogether"

    answer = post("/auth/token", {"client_id": client_id, "client_secret": secret})

    assert answer.status_code == 401
    assert answer.json()["detail"] == "These credentials do not open an account."
    assert not RefreshFamily.objects.exists()


def test_when_the_account_is_unknown_then_the_answer_takes_as_long(
    post: Any, new_user: Any, settings: LazySettings
) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": None}
    new_user(email="carol@example.com")
    took_s: dict[str, list[float]] = {"nobody@example.com": [], "carol@example.com": []}
    for email in took_s:
        post("/auth/token", {"email": email, "password": "warm up the hasher"})

    for _ in range(7):
        for email, times in took_s.items():
            started = time.thread_time()
            post("/auth/token", {"email": email, "password": "something else altogether"})
            times.append(time.thread_time() - started)

    unknown_s, wrong_s = (median(times) for times in took_s.values())
    assert 0.6 < unknown_s / wrong_s < 1.6


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["email", "password"]),
        ({"email": "carol@example.com"}, ["password"]),
        ({"client_id": "shop"}, ["client_secret"]),
        ({"email": 1, "password": PASSWORD}, ["email"]),
        ({"client_id": "shop", "client_secret": PASSWORD, "email": "carol@example.com"}, ["email"]),
    ],
)
def test_when_the_credentials_are_incomplete_then_what_is_missing_is_named(
    post: Any, body: dict[str, Any], fields: list[str]
) -> None:
    answer = post("/auth/token", body)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == fields


def test_when_an_old_token_is_sent_along_then_logging_in_still_works(post: Any, new_user: Any) -> None:
    user = new_user()

    answer = post("/auth/token", {"email": user.email, "password": PASSWORD}, authorization="Bearer outdated")

    assert answer.status_code == 200


def test_when_staff_have_a_second_factor_then_the_api_asks_for_its_code_after_the_password(
    post: Any, new_user: Any
) -> None:
    person = new_user(role="finance")
    secret, codes = enrol(person)
    given = {"email": person.email, "password": PASSWORD}
    code = code_of(secret)

    answers = [
        post("/auth/token", body)
        for body in (
            given,
            {**given, "password": "wrong wrong wrong"},
            {**given, "one_time_code": "000000"},
            {**given, "one_time_code": code},
            {**given, "one_time_code": code},
            {**given, "one_time_code": codes[0]},
        )
    ]

    assert [(answer.status_code, answer.json().get("code")) for answer in answers] == [
        (401, "second_factor_required"),
        (401, "not_authenticated"),
        (401, "not_authenticated"),
        (200, None),
        (401, "not_authenticated"),
        (200, None),
    ]


@pytest.mark.parametrize(("role", "status"), [("admin", 401), ("support", 401), ("user", 200)])
def test_when_a_second_factor_is_demanded_then_staff_without_one_get_no_token(
    post: Any, new_user: Any, settings: LazySettings, role: str, status: int
) -> None:
    settings.STAFF_SECOND_FACTOR_IS_REQUIRED = True
    person = new_user(role=role)

    answer = post("/auth/token", {"email": person.email, "password": PASSWORD})

    assert answer.status_code == status
    if status == 401:
        assert answer.json()["code"] == "second_factor_required"
        assert "Set up your second factor" in answer.json()["detail"]


def test_when_codes_fail_too_often_over_the_api_then_the_right_one_waits(
    post: Any, new_user: Any, settings: LazySettings
) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": Rate(2, 600)}
    person = new_user(role="finance")
    secret, _ = enrol(person)
    given = {"email": person.email, "password": PASSWORD}
    for number in range(2):
        with pytest.raises(WrongLogin):
            log_in(**given, one_time_code="000000", address=f"192.0.2.{number}")

    answer = post("/auth/token", {**given, "one_time_code": code_of(secret)})

    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
