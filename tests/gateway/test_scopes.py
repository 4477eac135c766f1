"""Default deny: a view that declares no scope is closed, and doesn't get past the system checks."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar
from uuid import UUID

import pytest
from django.core.checks import Error
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from config.checks import check_database_roles, check_routes, route_errors, served_routes
from users.roles import ROLES


class Half(ViewSet):
    """Declares some and forgets some."""

    scopes: ClassVar = {
        "index": "wallet:read",
        "create": "wallet:write",
        "odd": "wallet:paint",
        "login": "public",
    }
    keys: ClassVar = {"replace": "accepted", "strange": "perhaps"}

    def retrieve(self, request: Any) -> HttpResponse:
        return HttpResponse()

    index = create = odd = login = replace = strange = retrieve


class Whole(ViewSet):
    """Declares all."""

    scopes: ClassVar = {"index": "public", "create": "wallet:write", "me": "authenticated"}
    keys: ClassVar = {"create": "required"}

    def me(self, request: Any) -> HttpResponse:
        return HttpResponse()

    index = create = me


class Plain(APIView):
    """No viewset."""


def function(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@pytest.mark.parametrize(
    ("route", "view", "ids"),
    [
        ("api/v1/half", Half.as_view({"get": "index"}), []),
        ("api/v1/half", Half.as_view({"get": "retrieve"}), ["config.E002"]),
        ("api/v1/half", Half.as_view({"get": "odd"}), ["config.E003"]),
        ("api/v1/half", Half.as_view({"post": "create"}), ["config.E004"]),
        ("api/v1/half", Half.as_view({"put": "replace"}), ["config.E002"]),
        ("api/v1/half", Half.as_view({"patch": "strange"}), ["config.E002", "config.E004"]),
        ("api/v1/half", Half.as_view({"post": "login"}), []),
        ("api/v1/half", Half.as_view({"get": "index", "delete": "create"}), ["config.E004"]),
        (".well-known/half", Half.as_view({"get": "retrieve"}), ["config.E002"]),
        ("api/v1/whole", Whole.as_view({"get": "index", "post": "create"}), []),
        ("api/v1/whole", Whole.as_view({"get": "me"}), []),
        ("api/v1/plain", Plain.as_view(), ["config.E001"]),
        ("api/v1/function", function, ["config.E001"]),
        ("page", function, []),
    ],
)
def test_when_a_route_forgets_to_declare_then_the_check_names_it(
    route: str, view: Any, ids: list[str]
) -> None:
    errors = list(route_errors(route, path(route, view)))

    assert [error.id for error in errors] == ids
    assert all(f"/{route}" in error.msg for error in errors)


def test_when_the_url_table_has_a_bad_view_then_the_system_check_fails(planted: None) -> None:
    found = check_routes(None)

    messages = [error.msg for error in found if isinstance(error, Error) and "undeclared" in error.msg]
    assert messages == ["GET /api/v1/echo/undeclared (EchoViewSet.undeclared) declares no scope."]


def test_when_the_projects_own_routes_are_checked_then_all_declare_everything() -> None:
    assert check_routes(None) == []


def test_when_routes_are_walked_then_those_of_all_apps_are_found() -> None:
    from django.urls import get_resolver

    routes = {route for route, _ in served_routes(get_resolver().url_patterns)}

    assert {"health", "health/ready", "metrics", "api/schema", "api/docs", "docs/errors/<str:code>"} <= routes
    assert any(route.startswith("api/v1/") for route in routes)


@pytest.mark.parametrize(("user", "ids"), [("app", []), ("owner", ["config.W001"])])
def test_when_the_application_works_as_the_owner_then_a_check_warns(
    monkeypatch: pytest.MonkeyPatch, user: str, ids: list[str]
) -> None:
    databases = {"default": {"USER": user}, "owner": {"USER": "owner"}}
    monkeypatch.setattr("config.checks.settings", SimpleNamespace(DATABASES=databases))

    assert [warning.id for warning in check_database_roles(None)] == ids


def test_when_a_view_declares_nothing_then_nobody_gets_in(
    api: Client, signed_in: Callable[[str], UUID]
) -> None:
    anonymous = api.get("/api/v1/echo/undeclared").status_code
    signed_in("admin")
    admin = api.get("/api/v1/echo/undeclared").status_code

    assert (anonymous, admin) == (401, 403)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_when_a_role_holds_the_permission_then_it_gets_in(
    api: Client, signed_in: Callable[[str], UUID], role: str
) -> None:
    signed_in(role)

    assert api.get("/api/v1/echo/wallets").status_code == (200 if "wallet:read" in ROLES[role] else 403)


def test_when_nobody_is_signed_in_then_public_calls_alone_answer(api: Client) -> None:
    answered = {
        route: api.get(f"/api/v1/{route}").status_code for route in ("echo", "whoami", "echo/wallets")
    }

    assert answered == {"echo": 200, "whoami": 401, "echo/wallets": 401}
