"""Who a token speaks for, and the notices that a person wants."""

from typing import Any

import pytest
from django.test import Client

from users.models import ServiceClient, User
from users.roles import ROLES
from users.sessions import open_session

pytestmark = pytest.mark.django_db

ALL_ON = {
    "email": {
        "low_balance": True,
        "top_up_failed": True,
        "refund_decided": True,
        "wallet_suspended": True,
        "large_debit": True,
    }
}


def put(client: Client, access: str, body: Any) -> Any:
    """PUT the choice of notices."""
    return client.put(
        "/api/v1/auth/me/notifications",
        body,
        content_type="application/json",
        headers={"authorization": f"Bearer {access}"},
    )


def test_when_a_customer_asks_then_the_token_tells_who_it_is(get: Any, new_user: Any) -> None:
    user = new_user(name="Carol")

    answer = get("/auth/me", open_session(bearer=user).access)

    assert answer.status_code == 200
    assert answer.json() == {
        "id": str(user.id),
        "email": user.email,
        "client_id": None,
        "name": "Carol",
        "role": "user",
        "permissions": sorted(ROLES["user"]),
        "time_zone": "UTC",
        "locale": "en",
        "created_at": user.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert answer["Cache-Control"] == "no-store"


def test_when_nothing_changed_then_the_same_version_is_not_sent_again(get: Any, new_user: Any) -> None:
    user = new_user()
    access = open_session(bearer=user).access
    etag = get("/auth/me", access)["ETag"]

    unchanged = get("/auth/me", access, **{"if-none-match": etag})
    User.objects.filter(id=user.id).update(name="Caroline")
    changed = get("/auth/me", access, **{"if-none-match": etag})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert (changed.status_code, changed.json()["name"]) == (200, "Caroline")


def test_when_a_service_client_asks_then_its_scopes_are_told(get: Any, new_client: Any) -> None:
    shop = new_client(client_id="shop", scopes=["wallet:read"])

    answer = get("/auth/me", open_session(bearer=shop).access)

    body = answer.json()
    assert (body["id"], body["client_id"], body["email"]) == (str(shop.id), "shop", None)
    assert (body["role"], body["permissions"]) == ("service", ["wallet:read"])


def test_when_the_bearer_was_switched_off_then_the_token_is_no_longer_good(
    get: Any, new_user: Any, new_client: Any
) -> None:
    tokens = [open_session(bearer=bearer).access for bearer in (new_user(), new_client())]
    User.objects.update(is_active=False)
    ServiceClient.objects.update(is_active=False)

    answers = [get("/auth/me", token) for token in tokens]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(401, "invalid_token")] * 2


def test_when_notices_were_never_chosen_then_all_are_on(get: Any, new_user: Any) -> None:
    answer = get("/auth/me/notifications", open_session(bearer=new_user()).access)

    assert (answer.status_code, answer.json()) == (200, ALL_ON)


def test_when_notices_are_chosen_then_the_choice_is_kept(client: Client, get: Any, new_user: Any) -> None:
    user, other = new_user(), new_user()
    access = open_session(bearer=user).access
    chosen = {"email": {**ALL_ON["email"], "large_debit": False}}

    answer = put(client, access, chosen)

    assert (answer.status_code, answer.json()) == (200, chosen)
    assert get("/auth/me/notifications", access).json() == chosen
    other.refresh_from_db()
    assert other.notifications == ALL_ON


@pytest.mark.parametrize(
    ("body", "code", "fields"),
    [
        ({}, "validation_error", ["email"]),
        ({"email": {"low_balance": False}}, "validation_error", None),
        ({"email": {**ALL_ON["email"], "low_balance": 1}}, "validation_error", ["email.low_balance"]),
        ({"email": {**ALL_ON["email"], "low_balance": "true"}}, "validation_error", ["email.low_balance"]),
        ({"email": {**ALL_ON["email"], "low_balance": None}}, "validation_error", ["email.low_balance"]),
        ({"email": {**ALL_ON["email"], "low_balnce": True}}, "unknown_field", ["email.low_balnce"]),
        ({**ALL_ON, "sms": {}}, "unknown_field", ["sms"]),
        ({"email": []}, "validation_error", ["email"]),
        ([], "validation_error", [""]),
    ],
)
def test_when_a_choice_is_malformed_then_nothing_changes(
    client: Client, new_user: Any, body: Any, code: str, fields: list[str] | None
) -> None:
    user = new_user()

    answer = put(client, open_session(bearer=user).access, body)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    named = [error["field"] for error in answer.json()["errors"]]
    assert named == (
        fields
        or ["email.top_up_failed", "email.refund_decided", "email.wallet_suspended", "email.large_debit"]
    )
    user.refresh_from_db()
    assert user.notifications == ALL_ON


def test_when_a_service_client_asks_for_notices_then_it_has_none(
    client: Client, get: Any, new_client: Any
) -> None:
    access = open_session(bearer=new_client()).access

    answers = [get("/auth/me/notifications", access), put(client, access, ALL_ON)]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "permission_denied")
    ] * 2
