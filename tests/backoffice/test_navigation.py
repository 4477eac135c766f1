"""The frame around every page: who is led where, on which key, and in whose time."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.functional import Promise

from backoffice.navigation import NAVIGATION
from backoffice.staff_pages import STAFF
from tests.access.staff_matrix import PAGES
from tests.backoffice.conftest import Scene
from tests.factories.people import CustomerFactory, someone
from users.models import User
from users.roles import ROLES, STAFF_ROLES
from users.staff_screens import actor, colleague, moment

ENTRIES = [entry for section in NAVIGATION for entry in section.entries]
STATIC = Path(__file__).parents[2] / "backoffice" / "static" / "backoffice"


def test_when_entries_are_listed_then_keys_are_told_apart_and_icons_are_drawn() -> None:
    keys = [entry.key for entry in ENTRIES if entry.key]
    drawn = set(re.findall(r'id="([a-z]+)"', (STATIC / "icons.svg").read_text()))

    assert sorted(keys) == sorted(set(keys))
    assert {entry.icon for entry in ENTRIES} <= drawn


def test_when_an_entry_leads_to_a_page_of_ours_then_whoever_sees_it_may_open_it() -> None:
    ours = [entry for entry in ENTRIES if entry.route.startswith("backoffice:")]

    for entry in ours:
        needed = PAGES[entry.route.removeprefix("backoffice:")]
        assert STAFF in needed or set(entry.permissions) <= set(needed), entry.route


@pytest.mark.parametrize("role", sorted(STAFF_ROLES))
def test_when_a_role_looks_then_it_sees_the_entries_of_its_permissions_alone(db: None, role: str) -> None:
    client = Client()
    client.force_login(someone(role))

    html = client.get("/admin/time-zone/").content.decode()

    shown = set(re.findall(r'data-go="(.)"', html))
    expected = {
        entry.key
        for entry in ENTRIES
        if entry.key and (STAFF in entry.permissions or not ROLES[role].isdisjoint(entry.permissions))
    }
    assert shown == expected


def test_when_the_time_zone_is_switched_then_moments_are_shown_there_until_it_is_switched_back(
    staff: Client, scene: Scene
) -> None:
    path = f"/admin/transactions/transfer/{scene.transfer}/change/"

    switched = staff.post("/admin/time-zone/", {"time_zone": "Asia/Kolkata", "next": path})

    assert (switched.status_code, switched["Location"]) == (302, path)
    assert "Asia/Kolkata" in staff.get(path).content.decode()
    assert timezone.get_current_timezone_name() == "UTC"


def test_when_a_moment_is_shown_then_it_is_the_zones_own_and_hovering_tells_utc() -> None:
    at = datetime(2026, 11, 22, 20, 0, 0, 5, tzinfo=UTC)

    with timezone.override("Asia/Kolkata"):
        shown = moment(at)

    assert ">23 Nov 2026 01:30:00<" in shown
    assert 'title="2026-11-22 20:00:00.000005 UTC"' in shown


@pytest.mark.parametrize(
    ("zone", "came_from", "status"),
    [
        ("Nowhere/At_All", "/admin/", 400),
        ("", "/admin/", 400),
        ("../../etc/passwd", "/admin/", 400),
        ("UTC", "https://evil.example/", 302),
        ("UTC", "//evil.example/", 302),
    ],
)
def test_when_a_zone_or_a_way_back_is_none_of_ours_then_it_isn_t_taken(
    staff: Client, zone: str, came_from: str, status: int
) -> None:
    answer = staff.post("/admin/time-zone/", {"time_zone": zone, "next": came_from})

    assert answer.status_code == status
    assert "evil" not in answer.get("Location", "")


def test_when_an_entry_has_words_then_they_wait_for_a_language() -> None:
    words = [word for entry in ENTRIES for word in (entry.label, entry.purpose) if word]

    assert [word for word in words if not isinstance(word, Promise)] == []


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/admin/wallets/", "Wallets"),
        ("/admin/transactions/", "Transactions"),
        ("/admin/transactions/ledgeraccount/", ""),
        ("/admin/events/auditentry/", "Audit"),
        ("/admin/records/", "All records"),
    ],
)
def test_when_a_page_is_open_then_its_own_entry_is_marked(
    staff: Client, db: None, path: str, current: str
) -> None:
    html = staff.get(path).content.decode()

    side = html.partition('id="pages"')[2].partition("</nav>")[0]
    marked = re.findall(r'aria-current="page">.*?</svg>\s*(.*?)\s*</a>', side, re.DOTALL)
    assert marked == ([current] if current else [])


def test_when_staff_did_something_then_they_are_named_and_customers_are_not(
    db: None, newly_known: None
) -> None:
    ann = someone("finance")
    User.objects.filter(id=ann.id).update(name="Ann Ledger")
    carol = CustomerFactory.create(name="Carol")

    shown = [actor(f"finance:{ann.id}"), actor(f"user:{carol.id}"), actor("system"), colleague(carol.id)]

    assert f'title="{ann.email}">Ann Ledger</a>' in shown[0]
    assert 'class="kind">customer</span>' in shown[1]
    assert [("Carol" in one or carol.email in one) for one in shown] == [False] * 4
    assert shown[2] == '<span class="kind">system</span>'
    # No page tells of a part of the system.
    assert actor("system:auto-top-up") == '<span class="kind">system</span> auto top up'
