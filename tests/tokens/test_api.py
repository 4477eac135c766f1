"""Saved cards over HTTP, as `/api/v1/tokens` promises them."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from tokens.models import PaymentToken, VaultedCard
from users.credentials import sign_access
from users.models import User
from users.roles import ROLES

pytestmark = pytest.mark.django_db

CARD = {
    "number": "4242424242424242",
    "exp_month": 12,
    "exp_year": 2040,
    "cvc": "987",
    "holder": "Zacharias Quux",
}
FIELDS = [
    "id",
    "type",
    "brand",
    "last4",
    "exp_month",
    "exp_year",
    "fingerprint",
    "status",
    "provider",
    "created_at",
]


class Caller:
    """Somebody with an access token."""

    def __init__(self, *, role: str = "user", user: User | None = None) -> None:
        bearer_id = user.id if user else uuid7()
        token = sign_access(bearer_id=bearer_id, role=role, permissions=ROLES[role])
        self.headers = {"Authorization": f"Bearer {token}"}
        self.client = Client()

    def call(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return self.client.generic(method, f"/api/v1{path}", **content, headers=headers)


@pytest.fixture
def as_alice(alice: User) -> Caller:
    return Caller(user=alice)


@pytest.fixture
def as_bob(bob: User) -> Caller:
    return Caller(user=bob)


@pytest.fixture
def as_shop(db: None) -> Caller:
    return Caller(role="service")


@pytest.fixture
def token_of_alice(as_alice: Caller) -> dict[str, Any]:
    return as_alice.call("POST", "/tokens/card", CARD).json()


def owned(user: User) -> int:
    return PaymentToken.objects.filter(user=user).count()


def test_when_a_card_is_saved_then_the_answer_has_the_promised_fields(alice, as_alice):
    response = as_alice.call("POST", "/tokens/card", CARD)

    token = response.json()
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    assert list(token) == FIELDS
    assert {name: token[name] for name in FIELDS[1:6]} == {
        "type": "card",
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2040,
    }
    assert re.fullmatch(r"[0-9a-f]{32}", token["fingerprint"])
    assert (token["status"], token["provider"]) == ("active", "local")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", token["created_at"])
    assert PaymentToken.objects.get(id=token["id"]).user_id == alice.id


def test_when_the_holder_is_left_out_then_the_card_is_saved(as_alice):
    response = as_alice.call("POST", "/tokens/card", {name: CARD[name] for name in CARD if name != "holder"})

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", "4242424242424241"),
        ("number", "4242 4242 4242 4242"),
        ("number", 4242424242424242),
        ("number", ["4242424242424242"]),
        ("number", "4242424242424242424242"),
        ("number", None),
        ("exp_month", 13),
        ("exp_month", "12"),
        ("exp_month", 12.0),
        ("exp_month", True),
        ("exp_year", 40),
        ("exp_year", 2020),
        ("cvc", "98"),
        ("cvc", "98765"),
        ("cvc", 987),
        ("holder", "\x07"),
        ("holder", 4242424242424242),
        ("user_id", "4242424242424242"),
    ],
)
def test_when_a_field_is_wrong_then_it_is_named_never_quoted_and_nothing_is_saved(
    alice, as_alice, field, value
):
    response = as_alice.call("POST", "/tokens/card", {**CARD, field: value})

    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "validation_error")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert "42424242" not in response.content.decode()
    assert "98765" not in response.content.decode()
    assert owned(alice) == 0


@pytest.mark.parametrize("field", ["number", "exp_month", "exp_year", "cvc"])
def test_when_a_field_is_missing_then_it_is_named_and_nothing_is_saved(alice, as_alice, field):
    response = as_alice.call("POST", "/tokens/card", {name: CARD[name] for name in CARD if name != field})

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert owned(alice) == 0


def test_when_a_field_is_unknown_then_it_is_refused_by_name_and_nothing_is_saved(alice, as_alice):
    response = as_alice.call("POST", "/tokens/card", {**CARD, "numbr": "1"})

    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "unknown_field")
    assert [error["field"] for error in problem["errors"]] == ["numbr"]
    assert owned(alice) == 0


def test_when_the_same_key_comes_again_then_the_answer_is_the_same_bytes_and_one_card_is_saved(
    alice, as_alice
):
    first = as_alice.call("POST", "/tokens/card", CARD, key="card-1")

    second = as_alice.call("POST", "/tokens/card", CARD, key="card-1")

    assert (second.status_code, second.content) == (201, first.content)
    assert second["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert owned(alice) == 1


def test_when_the_key_comes_with_another_card_then_it_is_refused_and_nothing_is_saved(alice, as_alice):
    as_alice.call("POST", "/tokens/card", CARD, key="card-1")

    response = as_alice.call("POST", "/tokens/card", {**CARD, "cvc": "988"}, key="card-1")

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert owned(alice) == 1


def test_when_a_service_names_the_customer_then_the_card_is_the_customers(alice, as_shop, as_alice):
    response = as_shop.call("POST", "/tokens/card", {**CARD, "user_id": str(alice.id)})

    assert response.status_code == 201
    assert as_alice.call("GET", f"/tokens/{response.json()['id']}").status_code == 200


def test_when_a_service_names_nobody_then_the_field_is_asked_for(as_shop):
    response = as_shop.call("POST", "/tokens/card", CARD)

    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert [error["field"] for error in response.json()["errors"]] == ["user_id"]


def test_when_a_service_names_one_who_is_no_customer_then_it_is_not_found(db, as_shop):
    staff = User.objects.create(email="staff@saved.example", role="support")

    answers = [
        as_shop.call("POST", "/tokens/card", {**CARD, "user_id": str(user_id)})
        for user_id in (uuid7(), staff.id)
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "not_found")] * 2
    assert owned(staff) == 0


def test_when_a_customer_names_another_then_it_looks_as_if_there_were_none(bob, as_alice):
    answers = [
        as_alice.call("POST", "/tokens/card", {**CARD, "user_id": str(user_id)})
        for user_id in (bob.id, uuid7())
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert without_request(answers[0]) == without_request(answers[1])
    assert owned(bob) == 0


def test_when_a_customer_names_itself_then_the_card_is_saved(alice, as_alice):
    response = as_alice.call("POST", "/tokens/card", {**CARD, "user_id": str(alice.id)})

    assert response.status_code == 201


def test_when_a_token_is_read_then_it_is_the_one_that_was_saved_and_its_etag_saves_the_body(
    as_alice, token_of_alice
):
    path = f"/tokens/{token_of_alice['id']}"

    response = as_alice.call("GET", path)
    as_alice.headers["If-None-Match"] = response["ETag"]
    unchanged = as_alice.call("GET", path)

    assert (response.status_code, response.json()) == (200, token_of_alice)
    assert (unchanged.status_code, unchanged.content) == (304, b"")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/tokens/{}"), ("DELETE", "/tokens/{}"), ("POST", "/tokens/{}/validate")]
)
def test_when_it_is_somebody_elses_then_it_looks_as_if_it_were_nobodys(as_bob, token_of_alice, method, path):
    body = {} if method == "POST" else None

    others = as_bob.call(method, path.format(token_of_alice["id"]), body)
    nobodys = as_bob.call(method, path.format(uuid7()), body)

    assert (others.status_code, nobodys.status_code) == (404, 404)
    assert without_request(others) == without_request(nobodys)
    assert PaymentToken.objects.get(id=token_of_alice["id"]).status == "active"


def without_request(response: Any) -> dict[str, Any]:
    problem = response.json()
    return {name: problem[name] for name in problem if name not in ("request_id", "instance")}


def test_when_a_token_is_deleted_then_it_is_gone_for_good_and_a_key_replays_the_deletion(
    as_alice, token_of_alice
):
    path = f"/tokens/{token_of_alice['id']}"

    deleted = as_alice.call("DELETE", path, key="gone-1")
    replayed = as_alice.call("DELETE", path, key="gone-1")
    afterwards = [
        as_alice.call("GET", path),
        as_alice.call("DELETE", path),
        as_alice.call("POST", f"{path}/validate", {}),
    ]

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (replayed.status_code, replayed["Idempotent-Replayed"]) == (204, "true")
    assert [(answer.status_code, answer.json()["code"]) for answer in afterwards] == [
        (410, "token_deleted")
    ] * 3
    assert VaultedCard.objects.filter(id=token_of_alice["id"]).exists() is False


@pytest.mark.parametrize("body", [None, {}])
def test_when_a_good_token_is_validated_then_it_is_valid(as_alice, token_of_alice, body):
    response = as_alice.call("POST", f"/tokens/{token_of_alice['id']}/validate", body)

    assert (response.status_code, response.json()) == (200, {**token_of_alice, "valid": True})


def test_when_the_card_has_expired_then_it_reads_expired_and_is_not_valid(as_alice, token_of_alice):
    stored = PaymentToken.objects.get(id=token_of_alice["id"])
    past = {"id": uuid7(), "exp_year": 2020, "provider_ref_hmac": "0" * 32}
    facts = {field.attname: getattr(stored, field.attname) for field in PaymentToken._meta.concrete_fields}
    VaultedCard.objects.filter(id=stored.id).delete()
    expired = as_alice.call("POST", f"/tokens/{stored.id}/validate", {})
    old = PaymentToken.objects.create(**{**facts, **past})

    read = as_alice.call("GET", f"/tokens/{old.id}")

    assert (expired.json()["status"], expired.json()["valid"]) == ("expired", False)
    assert (read.json()["status"], read.json()["exp_year"]) == ("expired", 2020)


def test_when_tokens_are_listed_then_pages_run_newest_first_without_deleted_ones_and_strangers(
    as_alice, as_bob
):
    ids = [as_alice.call("POST", "/tokens/card", CARD).json()["id"] for _ in range(4)]
    as_bob.call("POST", "/tokens/card", CARD)
    as_alice.call("DELETE", f"/tokens/{ids[1]}")

    first = as_alice.call("GET", "/tokens?limit=2").json()
    second = as_alice.call("GET", first["next"].partition("/api/v1")[2]).json()
    back = as_alice.call("GET", second["previous"].partition("/api/v1")[2]).json()

    assert [token["id"] for token in first["results"]] == [ids[3], ids[2]]
    assert [token["id"] for token in second["results"]] == [ids[0]]
    assert (first["previous"], second["next"]) == (None, None)
    assert back["results"] == first["results"]
    assert list(first["results"][0]) == FIELDS


def test_when_a_service_lists_one_customer_then_the_others_are_left_out(
    alice, bob, as_alice, as_bob, as_shop
):
    mine = as_alice.call("POST", "/tokens/card", CARD).json()
    as_bob.call("POST", "/tokens/card", CARD)

    listed = as_shop.call("GET", f"/tokens?user_id={alice.id}").json()
    foreign = as_alice.call("GET", f"/tokens?user_id={bob.id}")

    assert listed["results"] == [mine]
    assert foreign.status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("sataus=active", "unknown_parameter"),
        ("limit=0", "validation_error"),
        ("limit=101", "validation_error"),
        ("cursor=abc", "invalid_cursor"),
        ("user_id=4242424242424242", "validation_error"),
    ],
)
def test_when_a_query_parameter_is_wrong_then_it_is_refused(as_alice, query, code):
    response = as_alice.call("GET", f"/tokens?{query}")

    assert (response.status_code, response.json()["code"]) == (400, code)
    assert "There is no such customer" not in response.content.decode()


@pytest.mark.parametrize("role", ["support", "finance", "auditor"])
def test_when_staff_without_the_permission_saves_or_deletes_then_it_is_forbidden(token_of_alice, alice, role):
    staff = Caller(role=role)

    answers = [
        staff.call("POST", "/tokens/card", {**CARD, "user_id": str(alice.id)}),
        staff.call("POST", f"/tokens/{token_of_alice['id']}/validate", {}),
        staff.call("DELETE", f"/tokens/{token_of_alice['id']}"),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "permission_denied")
    ] * 3
    assert staff.call("GET", f"/tokens/{token_of_alice['id']}").json() == token_of_alice
    assert owned(alice) == 1


def test_when_nobody_is_signed_in_then_every_call_is_refused(token_of_alice):
    nobody = Client()
    path = f"/api/v1/tokens/{token_of_alice['id']}"

    answers = [
        nobody.get("/api/v1/tokens"),
        nobody.get(path),
        nobody.post("/api/v1/tokens/card", CARD, content_type="application/json"),
        nobody.post(f"{path}/validate"),
        nobody.delete(path),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (401, "not_authenticated")
    ] * 5


@pytest.mark.parametrize("change", [{}, {"number": "4242424242424241"}, {"cvc": "9"}, {"exp_year": 2020}])
def test_when_a_card_is_sent_then_no_log_line_holds_number_code_or_holder_even_before_redaction(
    as_alice, caplog, change
):
    caplog.set_level("DEBUG")

    with capture_logs() as lines:
        response = as_alice.call("POST", "/tokens/card", {**CARD, **change})

    written = response.content.decode() + caplog.text + json.dumps(lines, default=repr)
    assert "/api/v1/tokens/card" in written
    assert "42424242" not in written
    assert "Quux" not in written
    assert '"987"' not in written


def test_when_the_vault_is_down_then_the_answer_tells_to_try_the_same_key_again(
    alice, as_alice, remote_vault
):
    remote_vault.is_down = True

    response = as_alice.call("POST", "/tokens/card", CARD, key="card-1")
    remote_vault.is_down = False
    again = as_alice.call("POST", "/tokens/card", CARD, key="card-1")

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.json()["advice"] == "retry_same_key"
    assert (again.status_code, again.json()["provider"]) == (201, remote_vault.name)
    assert owned(alice) == 1
