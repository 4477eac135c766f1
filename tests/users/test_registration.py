"""Coming in as a customer."""

from typing import Any

import pytest
from django.conf import LazySettings

from tests.users.conftest import PASSWORD
from users.models import User

pytestmark = pytest.mark.django_db


def test_when_registering_then_the_customer_exists_with_the_address_in_lower_case(post: Any) -> None:
    answer = post("/auth/register", {"email": " Carol@Example.COM ", "password": PASSWORD})

    assert answer.status_code == 201
    user = User.objects.get()
    assert answer.json() == {
        "id": str(user.id),
        "email": "carol@example.com",
        "role": "user",
        "created_at": user.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert user.id.version == 7
    assert user.password.startswith("argon2$argon2id$")
    assert answer["Cache-Control"] == "no-store"


def test_when_the_address_is_taken_in_other_case_then_it_is_refused_by_name(post: Any, new_user: Any) -> None:
    new_user(email="carol@example.com")

    answer = post("/auth/register", {"email": "CAROL@example.com", "password": PASSWORD})

    assert answer.status_code == 400
    assert answer.json()["code"] == "validation_error"
    assert answer.json()["errors"] == [
        {"field": "email", "code": "taken", "detail": "This e-mail address is registered already."}
    ]
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("password", "codes"),
    [
        ("short", ["password_too_short"]),
        ("password1234", ["password_too_common"]),
        ("8273645182736451", ["password_entirely_numeric"]),
        ("carol@example.com", ["password_too_similar"]),
        ("12345", ["password_too_short", "password_too_common", "password_entirely_numeric"]),
        ("x" * 257, ["max_length"]),
    ],
)
def test_when_the_password_is_weak_then_every_reason_is_told(
    post: Any, password: str, codes: list[str]
) -> None:
    answer = post("/auth/register", {"email": "carol@example.com", "password": password})

    assert answer.status_code == 400
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
        ("password", code) for code in codes
    ]
    assert not User.objects.exists()


@pytest.mark.parametrize("email", ["carol", "carol@", "@example.com", "carol@nodots", "c d@example.com", ""])
def test_when_the_address_is_none_then_it_is_refused(post: Any, email: str) -> None:
    answer = post("/auth/register", {"email": email, "password": PASSWORD})

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["email"]
    assert not User.objects.exists()


def test_when_a_role_is_asked_for_then_it_is_refused_as_an_unknown_field(post: Any) -> None:
    answer = post("/auth/register", {"email": "carol@example.com", "password": PASSWORD, "role": "admin"})

    assert answer.status_code == 400
    assert answer.json()["code"] == "unknown_field"
    assert answer.json()["errors"] == [
        {"field": "role", "code": "unknown_field", "detail": "There is no such field."}
    ]
    assert not User.objects.exists()


def test_when_registration_is_closed_then_nobody_comes_in(post: Any, settings: LazySettings) -> None:
    settings.REGISTRATION_OPEN = False

    answers = [
        post("/auth/register", body)
        for body in ({"email": "carol@example.com", "password": PASSWORD}, {"no": 1})
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "permission_denied")
    ] * 2
    assert not User.objects.exists()
