"""Calls of use cases, keyed and not, and calls over HTTP as clients make them."""

import json
from typing import Any
from uuid import UUID

import orjson
from django.test import Client
from uuid_utils.compat import uuid7

from tests.factories.people import bearer
from transactions.idempotency import Answer, KeyedCall
from transactions.movements import Movement
from users.models import ServiceClient, User

ACTOR = "user:tester"


def _told(result: Any) -> Answer:
    if isinstance(result, Movement):
        return Answer(201, orjson.dumps({"transfer_id": str(result.id)}), f"transfer:{result.id}")
    found = result.id if isinstance(getattr(result, "id", None), UUID) else uuid7()
    return Answer(200, orjson.dumps({"id": str(found)}), f"thing:{found}")


def keyed(key: str, *, body: bytes = b"one request", principal: str = ACTOR) -> KeyedCall:
    """A call that happens once for its key; `body` stands for what was sent."""
    return KeyedCall(principal=principal, key=key, fingerprint=body, render=_told)


def unkeyed() -> KeyedCall:
    """A call that may be repeated."""
    return KeyedCall(principal=ACTOR, key="", fingerprint=b"", render=_told)


def id_in(answer: Answer) -> UUID:
    """Read the id of what an answer shows."""
    return UUID(answer.resource.partition(":")[2])


class ApiClient:
    """Calls below `/api/v1`, with a token and, unless told otherwise, a fresh key on each write."""

    def __init__(self, who: User | ServiceClient | None = None) -> None:
        self._client = Client()
        self._headers = {"authorization": bearer(who)} if who is not None else {}

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Any:
        """Make one call; `key=None` sends none."""
        sent = {**self._headers, **headers}
        if method != "GET" and key is not None:
            sent["idempotency-key"] = key or str(uuid7())
        data = (
            b""
            if body is None
            else body
            if isinstance(body, bytes)
            else json.dumps(body, default=str).encode()
        )
        return self._client.generic(
            method, f"/api/v1{path}", data, content_type="application/json", headers=sent
        )

    def get(self, path: str, **headers: str) -> Any:
        """GET."""
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Any:
        """POST."""
        return self.call("POST", path, body, key=key, **headers)

    def put(self, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Any:
        """PUT."""
        return self.call("PUT", path, body, key=key, **headers)

    def patch(self, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Any:
        """PATCH."""
        return self.call("PATCH", path, body, key=key, **headers)
