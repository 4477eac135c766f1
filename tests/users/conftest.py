"""People and programs to log in with, and calls as clients make them."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from uuid_utils.compat import uuid7

from users.models import ServiceClient, User
from users.roles import ROLES, SERVICE

PASSWORD = "correct horse battery staple"


@cache
def hash_of(secret: str) -> str:
    """Hash once for all tests: argon2 is slow on purpose."""
    return make_password(secret)


@pytest.fixture
def new_user() -> Callable[..., User]:
    """Make a person with PASSWORD and an address of their own."""

    def make(**fields: Any) -> User:
        named = {"email": f"{uuid7()}@example.com", "password": hash_of(PASSWORD), **fields}
        return User.objects.create(**named)

    return make


@pytest.fixture
def new_client() -> Callable[..., ServiceClient]:
    """Make a service client with PASSWORD as its secret and every scope."""

    def make(**fields: Any) -> ServiceClient:
        named = {
            "client_id": f"client-{uuid7()}",
            "name": "Shop",
            "scopes": sorted(ROLES[SERVICE]),
            "secret_hash": hash_of(PASSWORD),
            **fields,
        }
        return ServiceClient.objects.create(**named)

    return make


@pytest.fixture
def post(client: Client) -> Callable[..., Any]:
    """POST JSON below `/api/v1`."""

    def call(path: str, body: Any, **headers: str) -> Any:
        return client.post(f"/api/v1{path}", body, content_type="application/json", headers=headers)

    return call


@pytest.fixture
def get(client: Client) -> Callable[..., Any]:
    """GET below `/api/v1` with an access token."""

    def call(path: str, access: str = "", **headers: str) -> Any:
        if access:
            headers["authorization"] = f"Bearer {access}"
        return client.get(f"/api/v1{path}", headers=headers)

    return call
