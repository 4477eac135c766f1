"""The short form of the part `tokens_of_access`: each forgery, and eight who spend one refresh token, in the process."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client

from tests.factories.people import CustomerFactory
from tests.proof.forgeries import Forger
from tests.proof.tokens_of_access import Tally, spend_together, try_forgeries
from users.credentials import key_ring


class InProcess:
    """Calls of the API by the threads of the test."""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.lower(): value for name, value in headers.items()}
        try:
            answer = Client().generic(
                method,
                f"/api/v1{path}",
                data="" if body is None else json.dumps(body),
                content_type="application/json",
                headers=named,
            )
        finally:
            connections.close_all()
        answer.effect = answer.status_code, answer.content
        return answer


def ask(token: str, method: str, path: str, body: Any) -> Any:
    return InProcess().call(method, path, body, Authorization=f"Bearer {token}", **{"Idempotency-Key": "k-1"})


def test_when_tokens_are_forged_then_they_open_nothing_and_nobody_is_asked_for_keys(committed) -> None:
    tally = Tally()

    try_forgeries(ask, tally)

    assert tally.found == []
    assert tally.figures["forged or stale tokens"] >= 60
    assert tally.figures["of those not refused with 401"] == 0


def test_when_a_forgery_would_be_taken_then_the_part_says_so(committed, monkeypatch) -> None:
    genuine = Forger(
        dict(key_ring(settings.JWT_SIGNING_KEYS).keys), CustomerFactory.create().id, settings.PUBLIC_URL, ""
    )
    monkeypatch.setattr(Forger, "forged", lambda _self: {"a genuine one": genuine.token()})
    tally = Tally()

    try_forgeries(ask, tally)

    assert tally.found == ["a genuine one: answered [200, 404, 404]"]


@pytest.mark.parametrize("count", [3])
def test_when_eight_spend_a_refresh_token_at_once_then_one_wins_and_the_session_ends(
    committed, count: int
) -> None:
    tally = Tally()

    spend_together(InProcess, tally, count=count)  # type: ignore[arg-type]  # calls as HttpApi does

    assert tally.found == []
    assert (tally.figures["winners"], tally.figures["sessions that outlived their reuse"]) == (count, 0)
