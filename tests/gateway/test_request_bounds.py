"""What is refused before any view looks at it."""

from io import BytesIO
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from config.gateway.request_bounds import MIB, RequestBoundsMiddleware

JSON = "application/json"


def body_of(size_bytes: int) -> bytes:
    return b'{"a": "' + b"x" * (size_bytes - 9) + b'"}'


@pytest.mark.parametrize(
    ("path", "size_bytes", "status"),
    [
        ("/api/v1/echo", MIB, 200),
        ("/api/v1/echo", MIB + 1, 413),
        ("/api/v1/nowhere", MIB + 1, 413),
        ("/api/v1/wallet/transfer/batch", MIB + 1, 200),
        ("/api/v1/wallet/transfer/batch/", 8 * MIB, 200),
        ("/api/v1/wallet/transfer/batch", 8 * MIB + 1, 413),
    ],
)
def test_when_a_body_is_sent_then_its_path_limits_its_size(
    api: Client, path: str, size_bytes: int, status: int
) -> None:
    response = api.post(path, data=body_of(size_bytes), content_type=JSON)

    assert response.status_code == status
    if status == 413:
        assert response.json()["code"] == "payload_too_large"


def test_when_a_body_is_too_large_then_it_is_read_away_so_that_the_next_call_finds_the_connection_open() -> (
    None
):
    body = BytesIO(body_of(2 * MIB))
    request = RequestFactory().post("/api/v1/echo", content_type=JSON)
    request.META.update({"wsgi.input": body, "CONTENT_LENGTH": str(2 * MIB)})

    response = RequestBoundsMiddleware(lambda _request: HttpResponse())(request)

    assert response.status_code == 413
    assert body.tell() == 2 * MIB


def test_when_a_body_is_larger_than_within_reason_then_no_more_than_16_mib_are_read() -> None:
    body = BytesIO(b"x" * (17 * MIB))
    request = RequestFactory().post("/api/v1/echo", content_type=JSON)
    request.META.update({"wsgi.input": body, "CONTENT_LENGTH": str(2**40)})

    response = RequestBoundsMiddleware(lambda _request: HttpResponse())(request)

    assert response.status_code == 413
    assert body.tell() == 16 * MIB


class Chunks(BytesIO):
    """A body that announces no length, as a server hands it on."""

    largest = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.largest = max(self.largest, len(data))
        return data


@pytest.mark.parametrize(("size_bytes", "status"), [(20, 200), (MIB, 200), (MIB + 1, 413), (3 * MIB, 413)])
def test_when_a_body_comes_in_chunks_then_no_more_than_the_limit_is_held(
    api: Client, size_bytes: int, status: int
) -> None:
    stream = Chunks(body_of(size_bytes))

    response = api.generic(
        "POST", "/api/v1/echo", CONTENT_TYPE=JSON, HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="",
        **{"wsgi.input": stream},
    )  # fmt: skip

    assert response.status_code == status
    assert stream.largest <= MIB + 1
    if status == 200:
        assert response.json()["raw_bytes"] == size_bytes


@pytest.mark.parametrize("path", ["/api/v1/echo?name=%00", "/api/v1/echo?a=1&b=x%00y", "/api/v1/%00", "/%00"])
def test_when_an_address_holds_nul_then_it_is_refused(api: Client, path: str) -> None:
    response = api.get(path)

    assert (response.status_code, response.json()["code"]) == (400, "validation_error")


@pytest.mark.parametrize("query", ["?a=%ff", "?a=%f0%28%8c%28", "?%ff=1", "?a=%", "?&&=&"])
def test_when_a_query_is_no_utf8_then_nothing_breaks(api: Client, query: str) -> None:
    assert api.get(f"/api/v1/echo{query}").status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/%ff%fe", "/api/v1/%c0%80", "/%ff"])
def test_when_a_path_is_no_utf8_then_it_is_not_found(api: Client, path: str) -> None:
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/echo/", 200),
        ("/api/v1/echo/?limit=1", 200),
        ("/api/v1/echo//", 404),
        ("/health/", 200),
        ("/health/ready/", 200),
        ("/api/schema/", 200),
    ],
)
def test_when_a_path_ends_with_a_slash_then_it_answers_as_without(
    api: Client, db: None, path: str, status: int
) -> None:
    assert api.get(path).status_code == status


def test_when_a_path_ends_with_a_slash_then_the_call_is_the_same_for_all_that_follows() -> None:
    seen: list[Any] = []
    middleware = RequestBoundsMiddleware(
        lambda request: seen.append((request.path, request.path_info)) or answer()
    )

    middleware(RequestFactory().post("/api/v1/echo/"))

    assert seen == [("/api/v1/echo", "/api/v1/echo")]


def answer() -> Any:
    from django.http import HttpResponse

    return HttpResponse()
