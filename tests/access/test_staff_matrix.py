"""Who of the staff may open which page: every role, every route."""

from contextlib import nullcontext

import pytest
from django.test import Client
from django.urls import reverse
from uuid_utils.compat import uuid7

from backoffice.checks import staff_pages_declare_permissions, undeclared
from backoffice.staff_pages import STAFF, staff_page
from backoffice.urls import STAFF_PAGES
from tests.access.staff_matrix import OWN_ACCOUNT, PAGES
from tests.factories.books import nothing_moves
from tests.factories.people import CustomerFactory, someone
from users.roles import PERMISSIONS, ROLES, STAFF_ROLES

ROUTES = {str(route.name): route for route in STAFF_PAGES}
GHOSTS: dict[str, object] = {"UUIDConverter": uuid7(), "StringConverter": "nothing", "IntConverter": 1}


def path_of(name: str) -> str:
    """Give a path of the route, with ids of nothing at all."""
    converters = ROUTES[name].pattern.converters
    ghosts = {key: GHOSTS[type(converter).__name__] for key, converter in converters.items()}
    return reverse(f"backoffice:{name}", kwargs=ghosts)


def test_when_routes_are_listed_then_each_stands_in_the_matrix_as_it_declares_itself() -> None:
    declared = {name: tuple(route.callback.permissions) for name, route in ROUTES.items()}

    assert declared == PAGES
    assert len(ROUTES) == len(STAFF_PAGES)
    assert set().union(*PAGES.values()) <= PERMISSIONS | {STAFF}


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
@pytest.mark.parametrize("name", sorted(PAGES))
@pytest.mark.parametrize("method", ["get", "post"])
def test_when_a_role_opens_a_page_then_its_permission_decides(
    db: None, name: str, role: str, method: str
) -> None:
    client = Client()
    client.force_login(someone(role))
    may = STAFF in PAGES[name] or not ROLES[role].isdisjoint(PAGES[name])

    with nullcontext() if name in OWN_ACCOUNT else nothing_moves():
        answer = getattr(client, method)(path_of(name))

    assert (answer.status_code != 403) is may
    assert answer.status_code < 500


@pytest.mark.parametrize("name", sorted(PAGES))
@pytest.mark.parametrize("who", ["nobody", "a customer"])
def test_when_nobody_of_the_staff_opens_a_page_then_they_are_asked_to_log_in(
    db: None, name: str, who: str
) -> None:
    client = Client()
    if who == "a customer":
        client.force_login(CustomerFactory.create())

    answer = client.get(path_of(name))

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/?next=")


def test_when_a_page_declares_nothing_then_the_check_names_it() -> None:
    from django.http import HttpResponse
    from django.urls import path

    guarded = staff_page("refund:read")(lambda request: HttpResponse())
    routes = [path("a", lambda request: HttpResponse(), name="open"), path("b", guarded, name="shut")]

    assert undeclared(routes) == ["open"]
    assert staff_pages_declare_permissions(None) == []


@pytest.mark.parametrize("permissions", [(), ("refunds:read",), ("refund:read", "nonsense")])
def test_when_a_page_declares_no_known_permission_then_it_is_refused(permissions: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="known permissions"):
        staff_page(*permissions)
