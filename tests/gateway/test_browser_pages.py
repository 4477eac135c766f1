"""Calls of the API pay for no session, no login, no language and no message."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from config.gateway.browser_pages import PageLanguages, PageLogins, PageMessages, PageSessions

ADDED = {
    PageSessions: "session",
    PageLanguages: "LANGUAGE_CODE",
    PageLogins: "user",
    PageMessages: "_messages",
}


def attributes_after(middleware: Any, path: str) -> set[str]:
    request = RequestFactory().get(path)
    if middleware in (PageLogins, PageMessages):
        request.session = {}  # type: ignore[assignment]
    seen: list[HttpRequest] = []
    middleware(lambda request: seen.append(request) or HttpResponse())(request)
    return set(vars(seen[0]))


@pytest.mark.parametrize("middleware", ADDED, ids=lambda middleware: middleware.__name__)
@pytest.mark.parametrize(
    "path", ["/api/v1/wallet", "/health", "/metrics", "/.well-known/jwks.json", "/api/schema"]
)
def test_when_data_is_asked_for_then_the_middleware_steps_aside(middleware: Any, path: str) -> None:
    assert ADDED[middleware] not in attributes_after(middleware, path)


@pytest.mark.parametrize("middleware", ADDED, ids=lambda middleware: middleware.__name__)
@pytest.mark.parametrize("path", ["/", "/admin/", "/docs/errors", "/api/docs", "/api"])
def test_when_a_page_is_asked_for_then_the_middleware_works(middleware: Any, path: str) -> None:
    assert ADDED[middleware] in attributes_after(middleware, path)
