"""JSON answers and their versions."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy

from users.api.answers import answer, json_bytes, no_content, resource


def test_when_data_is_written_then_ids_and_moments_have_the_contract_s_form() -> None:
    body = json_bytes(
        {
            "id": UUID("01a203d6-434d-7430-a6d2-8ab4e0dc9796"),
            "at": datetime(2026, 3, 2, 9, 0, 0, 120, tzinfo=UTC),
            "on": datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
            "text": gettext_lazy("Name ü"),
            "amount": 2**53 - 1,
        }
    )

    assert body.decode() == (
        '{"id":"01a203d6-434d-7430-a6d2-8ab4e0dc9796","at":"2026-03-02T09:00:00.000120Z",'
        '"on":"2026-03-02T09:00:00Z","text":"Name ü","amount":9007199254740991}'
    )


def test_when_data_has_no_form_in_json_then_that_is_a_bug() -> None:
    with pytest.raises(TypeError):
        json_bytes({"thing": object()})


def test_when_an_answer_is_private_then_no_cache_keeps_it() -> None:
    created = answer({"a": 1}, status=201, headers={"Location": "/a/1"})
    deleted = no_content()

    assert (created.status_code, created.content) == (201, b'{"a":1}')
    assert (created["Content-Type"], created["Cache-Control"]) == ("application/json", "no-store")
    assert created["Location"] == "/a/1"
    assert (deleted.status_code, deleted.content, deleted["Cache-Control"]) == (204, b"", "no-store")


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ('"7"', 304),
        ('W/"7"', 304),
        ('"6", "7"', 304),
        ("*", 304),
        ('"6"', 200),
        ("7", 200),
        ("", 200),
    ],
)
def test_when_the_client_knows_the_version_then_it_is_not_sent_again(
    rf: Any, known: str, status: int
) -> None:
    shown = resource(rf.get("/a", headers={"if-none-match": known}), {"a": 1}, 7)

    assert (shown.status_code, shown["ETag"], shown["Cache-Control"]) == (status, '"7"', "no-store")
    assert shown.content == (b'{"a":1}' if status == 200 else b"")


def test_when_there_is_no_version_then_the_body_is_its_own(rf: Any) -> None:
    first, same, other = (resource(rf.get("/a"), {"a": number}) for number in (1, 1, 2))

    assert first["ETag"] == same["ETag"]
    assert first["ETag"] != other["ETag"]
