"""`make check-browser` opens every page of the back office: none is forgotten."""

import re

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import resolve
from uuid_utils.compat import uuid7

from backoffice.urls import STAFF_PAGES
from tests.access.test_staff_matrix import path_of
from tests.browser.pages import STAFF_PAGES as BROWSED
from users.staff_screens import StaffScreen


def browsed() -> set[str]:
    """Name the routes that are opened."""
    paths = [re.sub(r"\{\w+\}", str(uuid7()), path).partition("?")[0] for path in BROWSED.values()]
    return {resolve(path).url_name or "" for path in paths}


@pytest.mark.parametrize("name", sorted(str(route.name) for route in STAFF_PAGES))
def test_when_a_route_is_a_page_then_the_browser_opens_it(staff: Client, name: str) -> None:
    answer = staff.get(path_of(name))

    is_page = answer.status_code != 405 and answer.get("Content-Type", "").startswith("text/html")
    assert name in browsed() or not is_page


def test_when_records_are_listed_then_each_of_djangos_screens_is_reached_from_there(
    staff: Client, db: None
) -> None:
    html = staff.get("/admin/records/").content.decode()

    screens = [model for model, screen in admin.site._registry.items() if isinstance(screen, StaffScreen)]
    lists = {f'href="/admin/{model._meta.app_label}/{model._meta.model_name}/"' for model in screens}
    assert {link for link in lists if link not in html} == set()
