"""A customer with a wallet and saved cards, for tests that really commit: no processor is called in a transaction."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from uuid_utils.compat import uuid7

from payments import steps
from tests.payments.customers import Customer
from users.credentials import sign_access
from users.models import User
from users.roles import ROLES


@pytest.fixture
def customer(committed: None) -> Customer:
    """Somebody with an empty USD wallet."""
    return Customer.with_wallet("USD")


@pytest.fixture
def listeners() -> Iterator[list[Any]]:
    """Who is told of each step; nobody is left behind."""
    yield steps.listeners
    steps.listeners.clear()


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
