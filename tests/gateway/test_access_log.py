"""One line for each request."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory
from django.utils.functional import SimpleLazyObject

from config.gateway.access_log import caller

Lines = list[dict[str, Any]]


def access_lines(lines: Lines) -> Lines:
    return [line for line in lines if line["event"] == "request"]


def test_when_a_call_is_answered_then_one_line_tells_all_of_it(
    api: Client, log_lines: Lines, signed_in: Callable[[str], UUID]
) -> None:
    user_id = signed_in("user")

    response = api.get("/api/v1/whoami", headers={"X-Request-ID": "order-4711"}, REMOTE_ADDR="192.0.2.7")

    (line,) = log_lines
    assert 0 < line.pop("duration_ms") < 5000
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "path": "/api/v1/whoami",
        "route": "api/v1/whoami",
        "status": 200,
        "user": str(user_id),
        "role": "user",
        "address": "192.0.2.7",
        "bytes": len(response.content),
        "request_id": "order-4711",
        "trace_id": response["traceparent"][3:35],
    }


@pytest.mark.parametrize(
    ("path", "status", "route"),
    [
        ("/api/v1/nowhere", 404, None),
        ("/api/v1/whoami", 401, "api/v1/whoami"),
        ("/api/v1/fail/bug", 500, "api/v1/fail/<str:how>"),
        ("/api/v1/fail/refusal", 422, "api/v1/fail/<str:how>"),
        ("/health", 200, "health"),
        ("/api/v1/echo?name=%00", 400, None),
    ],
)
def test_when_a_call_ends_in_any_way_then_there_is_exactly_one_line(
    api: Client, log_lines: Lines, path: str, status: int, route: str | None
) -> None:
    api.get(path)

    (line,) = access_lines(log_lines)
    assert (line["status"], line["route"]) == (status, route)
    assert (line["user"], line["role"]) == (None, None)


def test_when_a_path_holds_a_card_number_then_the_line_does_not(api: Client, log_lines: Lines) -> None:
    api.get("/api/v1/tokens/4242424242424242")

    (line,) = access_lines(log_lines)
    assert line["path"] == "/api/v1/tokens/[card]"


def test_when_a_query_holds_a_secret_then_the_line_has_no_query(api: Client, log_lines: Lines) -> None:
    api.get("/api/v1/echo?password=hunter22")

    assert "hunter22" not in str(log_lines)


def test_when_a_user_has_not_been_fetched_then_a_line_does_not_fetch_them() -> None:
    request = RequestFactory().get("/admin/")
    request.user = SimpleLazyObject(lambda: pytest.fail("fetched for a log line"))

    assert caller(request) == {"user": None, "role": None}


def test_when_nobody_is_logged_in_then_the_line_names_nobody() -> None:
    request = RequestFactory().get("/admin/")
    request.user = SimpleLazyObject(AnonymousUser)
    str(request.user)

    assert caller(request) == {"user": None, "role": None}


def test_when_somebody_is_logged_in_then_the_line_names_them() -> None:
    user_id = uuid4()

    class Person:
        pk = user_id
        role = "finance"

    request = RequestFactory().get("/admin/")
    request.user = SimpleLazyObject(Person)
    assert request.user.role == "finance"

    assert caller(request) == {"user": user_id, "role": "finance"}


def test_when_an_answer_has_a_body_then_its_length_is_told(api: Client) -> None:
    response = api.get("/api/v1/echo")

    assert response["Content-Length"] == str(len(response.content))
