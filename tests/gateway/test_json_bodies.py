"""JSON in, read strictly."""

from typing import Any

import pytest
from django.test import Client

JSON = "application/json"


def posted(api: Client, body: bytes, content_type: str = JSON) -> Any:
    return api.post("/api/v1/echo", data=body, content_type=content_type)


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'{"a": 1, "b": [true, null, "\xc3\xa4"]}', {"a": 1, "b": [True, None, "ä"]}),
        (b'{"a": 1.5}', {"a": 1.5}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a": "\\\\u0000"}', {"a": "\\u0000"}),
        (b"[1]", [1]),
        (b'{"a": {"a": 1}, "b": {"a": 1}}', {"a": {"a": 1}, "b": {"a": 1}}),
        (b"[" * 32 + b"]" * 32, None),
        (b'{"a":' * 31 + b"[" + b"]" + b"}" * 31, None),
    ],
)
def test_when_a_body_is_plain_json_then_it_is_read(api: Client, body: bytes, data: Any) -> None:
    response = posted(api, body)

    assert response.status_code == 200
    assert data is None or response.json() == {"data": data, "raw_bytes": len(body)}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "The body is not JSON at character 1."),
        (b"{'a': 1}", "The body is not JSON at character 1."),
        (b'{"a": 1,}', "The body is not JSON at character 8."),
        (b'{"a": 1} x', "The body is not JSON at character 9."),
        (b"a=1", "The body is not JSON at character 0."),
        (b"   ", "The body is not JSON at character 3."),
        (b'\xef\xbb\xbf{"a": 1}', "The body is not JSON at character 0."),
        (b'{"a": "\x00"}', "The body is not JSON at character 7."),
        (b'{"a": 1, "a": 2}', "An object names the same member twice."),
        (b'[{"b": {"a": 1, "a": 1}}]', "An object names the same member twice."),
        (b'{"a": 1, "\\u0061": 2}', "An object names the same member twice."),
        (b'{"a": NaN}', "NaN is not JSON."),
        (b'{"a": Infinity}', "Infinity is not JSON."),
        (b'{"a": -Infinity}', "-Infinity is not JSON."),
        (b'{"a": 1e999}', "A number is too large."),
        (b'{"a": ' + b"9" * 5000 + b"}", "The body is not JSON."),
        (b'{"a": "\\u0000"}', "A string holds the character U+0000."),
        (b'{"\\u0000": 1}', "A string holds the character U+0000."),
        (b'{"a": ["\\ud800"]}', "A string holds half of a surrogate pair."),
        (b'{"a": "\\udc00x"}', "A string holds half of a surrogate pair."),
        (b'{"a": "\xff"}', "The body is not UTF-8."),
        (b'{"a": "\xed\xa0\x80"}', "The body is not UTF-8."),
        ('{"a": 1}'.encode("utf-16"), "The body is not UTF-8."),
        (b"[" * 33 + b"]" * 33, "The body is nested more than 32 levels deep."),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "The body is nested more than 32 levels deep."),
        (b"[" * 100_000 + b"]" * 100_000, "The body is nested more than 32 levels deep."),
        (b'{"a":' * 100_000, "The body is nested more than 32 levels deep."),
    ],
)
def test_when_a_body_is_malformed_or_ambiguous_then_it_is_refused(
    api: Client, body: bytes, detail: str
) -> None:
    response = posted(api, body)

    assert response.status_code == 400
    assert (response.json()["code"], response.json()["detail"]) == ("invalid_json", detail)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
     "application/json-patch+json", "", "*/*"],
)  # fmt: skip
def test_when_a_body_is_not_declared_as_json_then_it_is_415(api: Client, content_type: str) -> None:
    response = posted(api, b'{"a": 1}', content_type)

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x=y"]
)
def test_when_json_is_declared_with_parameters_then_it_is_read(api: Client, content_type: str) -> None:
    assert posted(api, b'{"a": 1}', content_type).json()["data"] == {"a": 1}


@pytest.mark.parametrize("content_type", [JSON, "text/plain", ""])
def test_when_there_is_no_body_then_it_reads_as_an_empty_object(api: Client, content_type: str) -> None:
    response = posted(api, b"", content_type)

    assert (response.status_code, response.json()) == (200, {"data": {}, "raw_bytes": 0})


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png;q=0.1", "junk", ""])
def test_when_a_client_accepts_anything_else_then_the_answer_is_json_still(api: Client, accept: str) -> None:
    response = api.get("/api/v1/echo", headers={"Accept": accept})

    assert (response.status_code, response["Content-Type"]) == (200, JSON)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"description": "4242424242424242"}', ["description"]),
        (b'{"description": "my card 4242 4242 4242 4242, thanks"}', ["description"]),
        (b'{"metadata": {"note": ["4242-4242-4242-4242"]}}', ["metadata"]),
        (b'{"metadata": {"4242424242424242": 1}, "label": "4242424242424242"}', ["metadata", "label"]),
        (b'{"description": "\\u0034242424242424242"}', ["description"]),
        (b'{"4242424242424242": 1}', ["[card]"]),
    ],
)
def test_when_a_card_number_stands_where_text_is_kept_then_it_is_refused_by_name(
    api: Client, body: bytes, fields: list[str]
) -> None:
    response = posted(api, body)

    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert [(error["field"], error["code"]) for error in response.json()["errors"]] == [
        (field, "card_number") for field in fields
    ]
    assert b"424242" not in response.content


@pytest.mark.parametrize(
    "body",
    [
        b'{"number": "4242424242424242"}',
        b'{"payment_data": {"x": "4242424242424242"}}',
        b'{"description": "order 4242424242424241"}',
        b'{"amount": 4242424242424242}',
        b'{"wallet_id": "01890000-1111-7222-8333-444455556666"}',
    ],
)
def test_when_a_long_number_is_no_card_or_stands_where_cards_go_then_it_is_read(
    api: Client, body: bytes
) -> None:
    assert posted(api, body).status_code == 200


def test_when_a_key_holds_a_card_number_then_the_call_is_refused(api: Client) -> None:
    response = api.post(
        "/api/v1/echo", b"{}", "application/json", headers={"Idempotency-Key": "card-4242424242424242"}
    )

    assert (response.status_code, response.json()["code"]) == (400, "validation_error")
    assert b"424242" not in response.content
