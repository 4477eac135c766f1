"""Every "no" in one form."""

import re
from collections.abc import Callable
from importlib import import_module
from pkgutil import walk_packages
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils.html import escape

import events
import payments
import tokens
import transactions
import users
import wallets
from config.gateway.problems import ADVICE_TEXTS, PROBLEMS
from transactions.refusals import Refusal
from users.refusals import Refusal as UsersRefusal

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id", "advice", "errors"}
HTML = "text/html,application/xhtml+xml"

# The promises to client applications: the code, its status and its advice.
PROMISED = {
    "invalid_json": (400, "fix_request"),
    "validation_error": (400, "fix_request"),
    "unknown_field": (400, "fix_request"),
    "unknown_parameter": (400, "fix_request"),
    "invalid_cursor": (400, "fix_request"),
    "idempotency_key_required": (400, "fix_request"),
    "bad_request": (400, "fix_request"),
    "payment_token_invalid": (400, "do_not_retry"),
    "payment_token_expired": (400, "do_not_retry"),
    "payment_token_mismatch": (400, "do_not_retry"),
    "payment_token_key_unknown": (400, "do_not_retry"),
    "payment_token_simulated": (400, "fix_request"),
    "invalid_signature": (400, "do_not_retry"),
    "not_authenticated": (401, "fix_request"),
    "invalid_token": (401, "fix_request"),
    "token_expired": (401, "fix_request"),
    "second_factor_required": (401, "fix_request"),
    "own_account": (403, "do_not_retry"),
    "last_admin": (409, "do_not_retry"),
    "session_over": (401, "fix_request"),
    "wrong_proof": (403, "fix_request"),
    "payment_declined": (402, "ask_customer"),
    "permission_denied": (403, "do_not_retry"),
    "csrf_failed": (403, "fix_request"),
    "not_found": (404, "do_not_retry"),
    "method_not_allowed": (405, "fix_request"),
    "wallet_suspended": (409, "do_not_retry"),
    "wallet_closed": (409, "do_not_retry"),
    "wallet_not_empty": (409, "ask_customer"),
    "wallet_exists": (409, "do_not_retry"),
    "wallet_not_suspended": (409, "do_not_retry"),
    "top_up_under_way": (409, "retry_later"),
    "session_consumed": (409, "do_not_retry"),
    "payment_token_used": (409, "do_not_retry"),
    "payment_disputed": (409, "do_not_retry"),
    "hold_not_open": (409, "do_not_retry"),
    "refund_not_pending": (409, "do_not_retry"),
    "adjustment_not_pending": (409, "do_not_retry"),
    "break_not_open": (409, "do_not_retry"),
    "break_not_proposed": (409, "do_not_retry"),
    "idempotency_in_progress": (409, "retry_same_key"),
    "already_refunded": (409, "do_not_retry"),
    "already_reversed": (409, "do_not_retry"),
    "session_expired": (410, "do_not_retry"),
    "token_deleted": (410, "ask_customer"),
    "uri_too_long": (414, "fix_request"),
    "headers_too_large": (431, "fix_request"),
    "payload_too_large": (413, "fix_request"),
    "unsupported_media_type": (415, "fix_request"),
    "target_unavailable": (422, "do_not_retry"),
    "batch_refused": (422, "fix_request"),
    "insufficient_funds": (422, "ask_customer"),
    "limit_exceeded": (422, "ask_customer"),
    "currency_mismatch": (422, "fix_request"),
    "same_wallet": (422, "fix_request"),
    "amount_exceeds_remaining": (422, "fix_request"),
    "not_reversible": (422, "do_not_retry"),
    "self_approval": (422, "do_not_retry"),
    "scheme_unavailable": (422, "do_not_retry"),
    "not_refundable": (422, "do_not_retry"),
    "idempotency_key_reused": (422, "fix_request"),
    "rate_limited": (429, "retry_later"),
    "internal_error": (500, "retry_same_key"),
    "provider_error": (502, "retry_same_key"),
    "unavailable": (503, "retry_same_key"),
    "provider_timeout": (504, "retry_same_key"),
}


def problem(response: Any) -> dict[str, Any]:
    """Check the form of a problem and give its members."""
    body: dict[str, Any] = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert set(body) >= MEMBERS
    assert body["status"] == response.status_code
    assert body["type"] == f"http://localhost:8000/docs/errors/{body['code']}"
    assert body["request_id"] == response["X-Request-ID"]
    assert (body["title"], body["advice"]) == (PROBLEMS[body["code"]].title, PROBLEMS[body["code"]].advice)
    assert response["Cache-Control"] == "no-store"
    return body


def every_refusal() -> set[type[Exception]]:
    """Import all of the apps and walk the subclasses of their refusals."""
    for app in (users, events, transactions, wallets, tokens, payments):
        for module in walk_packages(app.__path__, f"{app.__name__}."):
            if ".migrations" not in module.name and ".management" not in module.name:
                import_module(module.name)
    found: set[type[Exception]] = set()
    waiting: list[type[Exception]] = [Refusal, UsersRefusal]
    while waiting:
        kind = waiting.pop()
        found.add(kind)
        waiting.extend(kind.__subclasses__())
    return {kind for kind in found if hasattr(kind, "code")}


def test_when_clients_rely_on_a_code_then_its_status_and_advice_are_as_promised() -> None:
    assert {code: (found.status, found.advice) for code, found in PROBLEMS.items()} == PROMISED


def test_when_a_refusal_is_declared_then_the_table_has_its_code() -> None:
    missing = {kind.__qualname__: kind.code for kind in every_refusal() if kind.code not in PROBLEMS}  # type: ignore[attr-defined]

    assert missing == {}


@pytest.mark.parametrize(
    ("how", "status", "code", "detail"),
    [
        ("bug", 500, "internal_error", "The server failed; the request id finds the failure in its logs."),
        ("refusal", 422, "insufficient_funds", "The available balance does not cover the amount."),
        ("lost", 503, "unavailable", "The service is busy. Send the same request again."),
        ("busy", 503, "unavailable", "The service is busy. Send the same request again."),
        ("deadlock", 503, "unavailable", "The service is busy. Send the same request again."),
        ("serialization", 503, "unavailable", "The service is busy. Send the same request again."),
        ("slow", 503, "unavailable", "The service is busy. Send the same request again."),
        ("idle", 503, "unavailable", "The service is busy. Send the same request again."),
        ("redis", 503, "unavailable", "The service is busy. Send the same request again."),
        ("range", 400, "validation_error", "The request is not valid."),
        ("missing", 404, "not_found", "There is no such object."),
        ("denied", 403, "permission_denied", "Your role does not hold the permission that this call needs."),
        ("suspicious", 400, "bad_request", "The request is malformed."),
    ],
)
def test_when_a_call_fails_then_the_problem_tells_what_it_may(
    api: Client, how: str, status: int, code: str, detail: str
) -> None:
    response = api.get(f"/api/v1/fail/{how}")

    body = problem(response)
    assert (response.status_code, body["code"], body["detail"], body["errors"]) == (status, code, detail, [])
    assert body["instance"] == f"/api/v1/fail/{how}"


def test_when_the_code_has_a_bug_then_the_log_has_it_and_the_answer_has_nothing(
    api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    response = api.get("/api/v1/fail/bug")

    assert b"secret of the house" not in response.content
    assert b"ZeroDivision" not in response.content
    (record,) = [record for record in caplog.records if record.name == "django.request"]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


def test_when_a_refusal_names_a_field_then_errors_has_it_and_its_extras_join_the_body(api: Client) -> None:
    body = problem(api.get("/api/v1/fail/field"))

    assert body["errors"] == [{"field": "amount", "code": "limit_exceeded", "detail": "Too much."}]
    assert body["limit"] == "daily_outflow"


def test_when_a_refusal_has_headers_then_the_answer_has_them(api: Client) -> None:
    response = api.get("/api/v1/fail/login")

    assert problem(response)["code"] == "rate_limited"
    assert response["Retry-After"] == "17"


def test_when_a_serializer_refuses_then_errors_name_each_field_with_a_dotted_path(api: Client) -> None:
    body = problem(api.get("/api/v1/fail/unvalidated"))

    assert body["code"] == "validation_error"
    assert body["detail"] == "amount: Wrong."
    assert body["errors"] == [
        {"field": "amount", "code": "invalid", "detail": "Wrong."},
        {"field": "lines.1.to", "code": "invalid", "detail": "Missing."},
    ]


def test_when_a_call_is_throttled_then_the_answer_says_how_long(api: Client) -> None:
    response = api.get("/api/v1/fail/throttled")

    assert problem(response)["detail"] == "Too many requests: wait 41 seconds."
    assert response["Retry-After"] == "41"


@pytest.mark.parametrize("how", ["lost", "busy"])
def test_when_nothing_can_have_moved_then_the_client_is_told_when_to_try_again(api: Client, how: str) -> None:
    assert api.get(f"/api/v1/fail/{how}")["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("delete", "/api/v1/echo", "GET, POST, HEAD, OPTIONS"),
        ("post", "/api/v1/whoami", "GET, HEAD, OPTIONS"),
        ("trace", "/api/v1/whoami", "GET, HEAD, OPTIONS"),
        ("post", "/health", "GET, HEAD"),
        ("delete", "/metrics", "GET, HEAD"),
        ("put", "/docs/errors/not_found", "GET, HEAD"),
    ],
)
def test_when_a_method_is_not_there_then_allow_lists_those_that_are(
    api: Client, method: str, path: str, allow: str
) -> None:
    response = getattr(api, method)(path)

    assert problem(response)["code"] == "method_not_allowed"
    assert response["Allow"] == allow


def test_when_the_methods_of_a_path_are_asked_for_then_it_lists_them(api: Client) -> None:
    response = api.options("/api/v1/echo")

    assert response.status_code == 200
    assert response.json() == {"methods": ["GET", "POST", "HEAD", "OPTIONS"]}


@pytest.mark.parametrize(
    "path", ["/api/v1/nowhere", "/api/v2", "/nowhere", "/.well-known/nowhere", "/api/v1/echo//"]
)
def test_when_a_path_is_unknown_then_it_is_a_problem(api: Client, path: str) -> None:
    body = problem(api.get(path))

    assert (body["code"], body["detail"]) == ("not_found", "There is no such object.")


def test_when_there_is_no_token_then_401_comes_with_a_challenge(api: Client) -> None:
    response = api.get("/api/v1/whoami")

    assert problem(response)["code"] == "not_authenticated"
    assert response["WWW-Authenticate"] == "Bearer"


def test_when_the_token_is_bad_then_the_challenge_names_the_error(api: Client) -> None:
    response = api.get("/api/v1/whoami", headers={"Authorization": "Bearer junk"})

    assert problem(response)["code"] == "invalid_token"
    assert response["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_when_the_permission_is_missing_then_403_names_no_internals(
    api: Client, signed_in: Callable[[str], UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in("user")
    monkeypatch.setattr("users.principals.Principal.may", lambda self, permission: False)

    response = api.get("/api/v1/echo/wallets")

    assert (response.status_code, problem(response)["code"]) == (403, "permission_denied")


def test_when_the_host_is_strange_then_400_does_not_echo_it(api: Client) -> None:
    response = api.get("/api/v1/echo", headers={"Host": "evil.example"})

    assert problem(response)["code"] == "bad_request"
    assert b"evil" not in response.content


def test_when_a_form_has_no_csrf_token_then_it_is_refused(planted: None) -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)

    response = strict.post("/page", {"a": "1"})

    assert (response.status_code, problem(response)["code"]) == (403, "csrf_failed")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), ("/failing-page", 500), ("/docs/errors/nothing", 404)],
)
def test_when_a_person_asks_then_the_answer_is_a_page(api: Client, path: str, status: int) -> None:
    response = api.get(path, headers={"Accept": HTML})

    assert response.status_code == status
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["X-Request-ID"] in response.content.decode()
    assert b"secret of the house" not in response.content


@pytest.mark.parametrize("path", ["/api/v1/nowhere", "/health/nowhere", "/sandbox/nowhere"])
def test_when_a_path_is_for_programs_then_a_browser_gets_a_problem_too(api: Client, path: str) -> None:
    assert problem(api.get(path, headers={"Accept": HTML}))["code"] == "not_found"


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_when_a_code_is_looked_up_then_a_page_explains_it(api: Client, code: str) -> None:
    response = api.get(f"/docs/errors/{code}", headers={"Accept": HTML})

    page = response.content.decode()
    assert response.status_code == 200
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Cache-Control"] == "public, max-age=3600"
    assert re.search(rf">\s*{code}\s*<", page)
    assert str(PROBLEMS[code].status) in page
    assert escape(PROBLEMS[code].explanation) in page
    assert escape(PROBLEMS[code].remedy) in page
    assert page.count("<script") == page.count('<script src="/static/')
    assert " style=" not in page


def test_when_json_is_asked_for_then_a_code_is_explained_in_json(api: Client) -> None:
    response = api.get("/docs/errors/unavailable", headers={"Accept": "application/json"})

    assert response["Vary"].startswith("Accept")
    assert response.json() == {
        "code": "unavailable",
        "status": 503,
        "title": "Not available at the moment",
        "advice": "retry_same_key",
        "explanation": PROBLEMS["unavailable"].explanation,
        "remedy": "Send it again with the same Idempotency-Key.",
    }


def test_when_the_codes_are_listed_then_each_one_is_linked(api: Client) -> None:
    page = api.get("/docs/errors").content.decode()
    listed = api.get("/docs/errors", headers={"Accept": "application/json"}).json()["results"]

    assert all(f'href="/docs/errors/{code}"' in page for code in PROBLEMS)
    assert {entry["code"] for entry in listed} == set(PROBLEMS)


def test_when_a_problem_is_declared_then_its_texts_are_whole() -> None:
    for found in PROBLEMS.values():
        assert found.advice in ADVICE_TEXTS
        assert found.explanation.endswith(".")
        assert found.remedy.endswith(".")
        assert not found.title.endswith(".")


def test_when_the_path_has_other_than_plain_characters_then_the_instance_is_a_uri_all_the_same(
    api: Client,
) -> None:
    response = api.get("/api/v1/nothing/%C3%BE(%F0%9F%98%80")

    assert response.json()["instance"] == "/api/v1/nothing/%C3%BE(%F0%9F%98%80"
