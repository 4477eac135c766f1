"""A customer with a wallet and saved cards, for tests that really commit: no processor is called in a transaction."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.test import Client
from psycopg.pq import TransactionStatus
from uuid_utils.compat import uuid7

from config.postgresql.base import DatabaseWrapper
from events import clock
from payments import steps
from payments.processors.sandbox import SandboxProcessor
from tests.payments.customers import Customer
from tests.payments.schemes.apple_gateway import Gateway, running_gateway
from users.credentials import sign_access
from users.models import User
from users.roles import ROLES

WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
Clock = Callable[[datetime], None]


@pytest.fixture
def customer(committed: None) -> Customer:
    """Somebody with an empty USD wallet."""
    return Customer.with_wallet("USD")


@pytest.fixture
def listeners() -> Iterator[list[Any]]:
    """Who is told of each step; nobody is left behind."""
    yield steps.listeners
    steps.listeners.clear()


@pytest.fixture
def apple_gateway(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Apple's gateway, where we are registered."""
    with running_gateway(tmp_path, settings, monkeypatch) as made:
        yield made


class Caller:
    """Somebody with an access token."""

    def __init__(self, *, role: str = "user", user: User | None = None) -> None:
        token = sign_access(bearer_id=user.id if user else uuid7(), role=role, permissions=ROLES[role])
        self.headers = {"Authorization": f"Bearer {token}"}
        self.client = Client()

    def post(self, path: str, body: Any, *, key: str = "", **headers: str) -> Any:
        if key:
            headers["Idempotency-Key"] = key
        return self.client.post(
            f"/api/v1{path}",
            data=json.dumps(body),
            content_type="application/json",
            headers={**self.headers, **headers},
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/api/v1{path}", headers={**self.headers, **headers})


@pytest.fixture
def as_customer(customer: Customer) -> Caller:
    return Caller(user=customer.user)


@pytest.fixture
def effects(monkeypatch: pytest.MonkeyPatch, listeners: list[Any]) -> list[str]:
    """What has an effect, in order: `commit` on our books, `call` on the processor's; and each step by its name."""
    seen: list[str] = []
    calling = False
    execute, commit = psycopg.Cursor.execute, DatabaseWrapper._commit

    def watched_execute(self, query, *arguments, **options):
        is_alone = self.connection.pgconn.transaction_status == TransactionStatus.IDLE
        if is_alone and not calling and WRITES.match(str(query)):
            seen.append("commit")
        return execute(self, query, *arguments, **options)

    def watched_commit(self):
        if not calling:
            seen.append("commit")
        return commit(self)

    def watched_call(method: str) -> None:
        real = getattr(SandboxProcessor, method)

        def call(*arguments, **options):
            nonlocal calling
            seen.append("call")
            calling = True
            try:
                return real(*arguments, **options)
            finally:
                calling = False

        monkeypatch.setattr(SandboxProcessor, method, call)

    monkeypatch.setattr(psycopg.Cursor, "execute", watched_execute)
    monkeypatch.setattr(DatabaseWrapper, "_commit", watched_commit)
    watched_call("charge")
    watched_call("find_charge")
    watched_call("refund")
    watched_call("find_refund")
    listeners.append(lambda step: seen.append(step.value))
    return seen


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let everything happen at another moment."""

    def to(moment: datetime) -> None:
        ahead = moment - datetime.now(UTC)
        monkeypatch.setattr(clock, "_leads", clock.Leads(everybody=ahead))

    return to
