"""The gateway's tests call a small URL table of their own through all of the middleware."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import structlog
from django.test import Client
from pytest_django import Settings

from config.logs import rendered
from users.principals import Principal
from users.roles import ROLES


@pytest.fixture
def planted(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.gateway.planted"


@pytest.fixture
def api(planted: None) -> Client:
    """A client that is answered, as over the wire, where the test client would raise."""
    return Client(raise_request_exception=False)


@pytest.fixture
def log_lines() -> Iterator[list[dict[str, Any]]]:
    """The lines that would have been written, as they would have been written."""
    lines: list[dict[str, Any]] = []

    def keep(logger: Any, method: str, event: structlog.typing.EventDict) -> bytes:
        lines.append(orjson.loads(rendered(logger, method, event)))
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    original = processors[-1]
    processors[-1] = keep
    yield lines
    processors[-1] = original


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], UUID]:
    """Let every call come from a principal of the given role, without a token."""

    def sign_in(role: str) -> UUID:
        principal = Principal(id=uuid4(), role=role, permissions=ROLES[role])
        monkeypatch.setattr(
            "users.api.authentication.BearerAuthentication.authenticate",
            lambda self, request: (principal, "token"),
        )
        return principal.id

    return sign_in
