"""Calls over HTTP from outside: connections that stay open, tokens that stay fresh, clients that never give up."""

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from uuid_utils.compat import uuid7

from tests.factories.people import bearer
from users.models import ServiceClient, User

FRESH_FOR_S = 300.0
LONGEST_ANSWER_S = 60.0
AGAIN = frozenset({409, 502, 503, 504})
"""Statuses after which a client tries the same key again; of 409 only `idempotency_in_progress`."""


@dataclass
class Answer:
    """What came back; as Django's test client tells it, so that both can be asked the same."""

    status_code: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.content)

    def __getitem__(self, header: str) -> str:
        return self.headers[header.lower()]

    @property
    def effect(self) -> tuple[int, bytes]:
        """What a replay has to repeat to the byte."""
        return self.status_code, self.content


class HttpApi:
    """Somebody's calls below `/api/v1`, from any number of threads; each thread keeps a connection of its own."""

    def __init__(self, port: int, who: User | ServiceClient | None = None) -> None:
        self.port, self.who = port, who
        self._own = threading.local()
        self._signed_at_s = float("-inf")
        self._bearer = ""

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        prefix: str = "/api/v1",
        **headers: str,
    ) -> Answer:
        """Make one call; raises OSError or HTTPException when there is no answer. `key=None` sends none."""
        sent = {"Content-Type": "application/json", **self._authorization(), **headers}
        if method != "GET" and key is not None:
            sent["Idempotency-Key"] = key or str(uuid7())
        data = (
            body
            if isinstance(body, bytes)
            else b""
            if body is None
            else json.dumps(body, default=str).encode()
        )
        opened = self._connection()
        try:
            opened.request(method, f"{prefix}{path}", data, sent)
            response = opened.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            opened.close()
            raise
        if (
            response.status == 401
            and b"token_expired" in content
            and sent.get("Authorization") == self._bearer
        ):
            # The sandbox's clock has been moved.
            self._signed_at_s = float("-inf")
            return self.call(
                method, path, body, key=sent.get("Idempotency-Key", key), prefix=prefix, **headers
            )
        return Answer(
            response.status, content, {name.lower(): value for name, value in response.getheaders()}
        )

    def get(self, path: str) -> Answer:
        """GET, until it is answered."""
        return self.persist("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        """POST under a fresh key, until it is answered."""
        return self.persist("POST", path, {} if body is None else body)

    def put(self, path: str, body: Any = None) -> Answer:
        """PUT under a fresh key, until it is answered."""
        return self.persist("PUT", path, body)

    def persist(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        longest_s: float = 240.0,
        prefix: str = "/api/v1",
    ) -> Answer:
        """Make one call with one key until it is answered for good, whatever dies meanwhile."""
        key = key or str(uuid7())
        until = time.monotonic() + longest_s
        while True:
            answer = self.tried(method, path, body, key=key, prefix=prefix)
            if answer is not None and not (
                answer.status_code in AGAIN
                and (answer.status_code != 409 or b"idempotency_in_progress" in answer.content)
            ):
                return answer
            if time.monotonic() > until:
                raise AssertionError(f"no answer for {longest_s:.0f} s: {method} {path}: {answer}")
            time.sleep(0.1)

    def tried(
        self, method: str, path: str, body: Any = None, *, key: str | None = "", prefix: str = "/api/v1"
    ) -> Answer | None:
        """Make one call; None when nothing came back."""
        try:
            return self.call(method, path, body, key=key, prefix=prefix)
        except (OSError, http.client.HTTPException):
            return None

    def _connection(self) -> http.client.HTTPConnection:
        opened: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if opened is None:
            opened = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_ANSWER_S)
            self._own.connection = opened
        return opened

    def _authorization(self) -> dict[str, str]:
        if self.who is None:
            return {}
        if time.monotonic() > self._signed_at_s + FRESH_FOR_S:
            self._bearer, self._signed_at_s = bearer(self.who), time.monotonic()
        return {"Authorization": self._bearer}
