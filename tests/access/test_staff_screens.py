"""Who of the staff may open which of Django's screens, and press what stands on them: every role, every route."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse
from uuid_utils.compat import uuid7

from backoffice.staff_pages import STAFF
from tests.access.staff_matrix import SCREEN_ACTIONS, SCREENS, SITE_ROUTES
from tests.factories.books import nothing_moves
from tests.factories.people import someone
from users.roles import ROLES, STAFF_ROLES
from users.staff_screens import StaffScreen

OF_A_MODEL = ("changelist", "add", "history", "delete", "change")


def names(routes: Sequence[Any]) -> Iterator[str]:
    """Name every route of Django's site, those of each model too."""
    for route in routes:
        if isinstance(route, URLResolver):
            yield from names(route.url_patterns)
        elif isinstance(route, URLPattern) and route.name:
            yield str(route.name)


def holds(role: str, permissions: tuple[str, ...]) -> bool:
    return STAFF in permissions or not ROLES[role].isdisjoint(permissions)


def test_when_routes_are_listed_then_each_stands_in_the_matrix() -> None:
    of_models = {f"{label.replace('.', '_')}_{action}" for label in SCREENS for action in OF_A_MODEL}

    assert set(names(admin.site.get_urls())) == of_models | set(SCREEN_ACTIONS) | SITE_ROUTES


def test_when_screens_are_listed_then_each_declares_what_the_matrix_says() -> None:
    declared = {
        model._meta.label_lower: tuple(screen.permissions) or (STAFF,)
        for model, screen in admin.site._registry.items()
        if isinstance(screen, StaffScreen)
    }

    assert declared == SCREENS
    assert len(declared) == len(admin.site._registry)


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
def test_when_a_role_opens_a_screen_then_its_permission_decides(db: None, role: str) -> None:
    client = Client()
    client.force_login(someone(role))

    statuses = {
        label: client.get(reverse(f"admin:{label.replace('.', '_')}_changelist")).status_code
        for label in SCREENS
    }

    assert {label for label, status in statuses.items() if status != 403} == {
        label for label, permissions in SCREENS.items() if holds(role, permissions)
    }
    assert max(statuses.values()) < 500


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
def test_when_a_role_would_change_a_row_then_nothing_moves(db: None, role: str) -> None:
    client = Client()
    client.force_login(someone(role))
    statuses = {}

    with nothing_moves():
        for label in SCREENS:
            for action in ("add", "delete", "change"):
                path = reverse(
                    f"admin:{label.replace('.', '_')}_{action}", args=[] if action == "add" else [uuid7()]
                )
                statuses[path] = client.post(path, {"post": "yes"}).status_code

    assert {path for path, status in statuses.items() if status not in (302, 403)} == set()


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
@pytest.mark.parametrize("name", sorted(SCREEN_ACTIONS))
def test_when_a_role_presses_what_stands_on_a_screen_then_its_permission_decides(
    db: None, name: str, role: str
) -> None:
    client = Client()
    client.force_login(someone(role))

    with nothing_moves():
        answer = client.post(reverse(f"admin:{name}", args=[uuid7()]))
        told = [str(message) for message in answer.wsgi_request._messages]

    if holds(role, SCREEN_ACTIONS[name]):
        assert answer.status_code == 302
    else:
        assert answer.status_code == 403 or told == ["This is not allowed."]


@pytest.mark.parametrize("name", sorted(SCREEN_ACTIONS))
def test_when_nobody_is_logged_in_then_a_screen_asks_who_it_is(db: None, name: str) -> None:
    answer = Client().post(reverse(f"admin:{name}", args=[uuid7()]))

    assert answer["Location"].startswith("/admin/login/?next=")
