"""Request ids and W3C trace context."""

import re
from uuid import UUID

import pytest
from django.test import Client

from config.gateway.request_ids import accepted_request_id, continued_trace, new_trace

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.mark.parametrize(
    "offered", ["12345678", "order-4711_a.b", "A" * 128, str(UUID(int=7))], ids=["8", "mixed", "128", "uuid"]
)
def test_when_the_offered_id_is_plain_then_it_is_taken(offered: str) -> None:
    assert accepted_request_id(offered) == offered


@pytest.mark.parametrize(
    "offered",
    ["", "1234567", "A" * 129, "12345678\n", "1234 5678", "12345678/", "12345678ä", "4242424242424242"],
)
def test_when_the_offered_id_is_not_plain_then_one_is_made(offered: str) -> None:
    made = accepted_request_id(offered)

    assert UUID(made).version == 7
    assert made != offered


@pytest.mark.parametrize(
    ("traceparent", "flags"),
    [
        (f"00-{TRACE}-{PARENT}-01", "01"),
        (f"00-{TRACE}-{PARENT}-00", "00"),
        (f"00-{TRACE}-{PARENT}-03", "03"),
        (f"00-{TRACE}-{PARENT}-ff", "03"),
        (f"cc-{TRACE}-{PARENT}-01", "01"),
        (f"cc-{TRACE}-{PARENT}-03-and-more", "01"),
    ],
)
def test_when_the_trace_is_valid_then_it_goes_on_in_a_span_of_our_own(traceparent: str, flags: str) -> None:
    continued = continued_trace(traceparent)

    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-{flags}", continued)
    assert PARENT not in continued


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-extra",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01.x",
        f"00-{TRACE}-{PARENT}-0",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01",
    ],
)
def test_when_the_trace_is_invalid_then_it_is_ignored(traceparent: str) -> None:
    assert continued_trace(traceparent) == ""


def test_when_a_trace_starts_then_it_is_valid_and_not_sampled() -> None:
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", new_trace())


def test_when_a_call_brings_ids_then_the_answer_and_the_context_have_them(api: Client) -> None:
    response = api.get(
        "/api/v1/echo",
        headers={
            "X-Request-ID": "order-4711",
            "traceparent": f"00-{TRACE}-{PARENT}-01",
            "tracestate": "a=1,b=2",
        },
    )

    assert response.status_code == 200
    assert response["X-Request-ID"] == "order-4711"
    assert response["traceparent"].startswith(f"00-{TRACE}-")
    assert response.json() == {
        "request_id": "order-4711",
        "traceparent": response["traceparent"],
        "tracestate": "a=1,b=2",
        "address": "127.0.0.1",
    }


def test_when_the_trace_is_invalid_then_its_state_is_dropped(api: Client) -> None:
    response = api.get("/api/v1/echo", headers={"traceparent": "00-junk", "tracestate": "a=1"})

    assert response.json()["tracestate"] == ""
    assert response.json()["traceparent"] == response["traceparent"]


@pytest.mark.parametrize("length", [512, 1024])
def test_when_the_trace_state_is_long_then_it_is_passed_on(api: Client, length: int) -> None:
    state = "k=" + "v" * (length - 2)

    response = api.get(
        "/api/v1/echo", headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": state}
    )

    assert response.json()["tracestate"] == state


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/v1/fail/bug", "/health", "/page"])
def test_when_anything_is_answered_then_it_has_a_request_id(api: Client, path: str) -> None:
    response = api.get(path, headers={"X-Request-ID": "find-me-again"})

    assert response["X-Request-ID"] == "find-me-again"
