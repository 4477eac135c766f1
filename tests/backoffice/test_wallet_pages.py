"""A wallet in the back office: what bears on its balance, its timeline, freezing, statements."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backoffice import timelines
from backoffice.timelines import Subject, timeline
from events import audit, relay
from events.context import RequestContext, request_context
from events.models import AuditEntry
from tests.backoffice.conftest import Scene
from tests.factories.books import nothing_moves
from tests.factories.calls import ApiClient
from tests.factories.money import fund
from tests.factories.people import someone
from wallets.models import Wallet


def path(name: str, scene: Scene) -> str:
    """Give the path of one of Alice's wallet's pages."""
    return reverse(f"backoffice:{name}", args=[scene.alices_wallet])


def of(scene: Scene, **more) -> Subject:
    """Alice's wallet as a timeline's subject."""
    return Subject(user_id=scene.alice.id, wallet_ids=[scene.alices_wallet], is_one_wallet=True, **more)


def test_when_a_wallet_is_opened_then_its_figures_stand_there_with_their_explanation(staff, scene):
    text = staff.get(path("wallet", scene)).content.decode()

    assert "1,234,555.39" in text
    assert reverse("backoffice:wallet-explained", args=[scene.alices_wallet]) in text
    assert scene.alice.email not in text


def test_when_wallets_are_listed_then_owners_are_masked_and_found_by_their_address(staff, scene):
    text = staff.get(f"/admin/wallets/?email={scene.bob.email.upper()}").content.decode()

    assert str(scene.bobs_wallet) in text
    assert str(scene.alices_wallet) not in text
    assert text.count(f"/admin/customers/{scene.bob.id}/") == 1


def test_when_a_wallet_is_frozen_and_unfrozen_then_reason_and_expiry_are_kept(staff, scene):
    until = timezone.now() + timedelta(days=2)

    staff.post(
        path("wallet-freeze", scene),
        {"reason": "Card stolen", "expires_at": f"{until:%Y-%m-%dT%H:%M}", "key": ""},
    )
    frozen = Wallet.objects.get(pk=scene.alices_wallet)
    text = staff.get(path("wallet", scene)).content.decode()
    staff.post(path("wallet-unfreeze", scene), {"reason": "Found again"})

    assert (frozen.status, frozen.status_reason) == ("suspended", "Card stolen")
    assert frozen.suspended_until == until.replace(second=0, microsecond=0)
    assert "Card stolen" in text
    assert Wallet.objects.get(pk=scene.alices_wallet).status == "active"


@pytest.mark.parametrize(
    "form",
    [
        {"reason": ""},
        {"reason": "x", "expires_at": "tomorrow"},
        {"reason": "x", "expires_at": "2020-01-01T00:00"},
    ],
)
def test_when_a_freeze_makes_no_sense_then_the_wallet_stays_active(staff, scene, form):
    with nothing_moves():
        answer = staff.post(path("wallet-freeze", scene), form)

    assert answer.status_code == 302
    assert Wallet.objects.get(pk=scene.alices_wallet).status == "active"


@pytest.mark.parametrize("role", ["finance", "auditor"])
def test_when_a_role_may_not_manage_wallets_then_it_can_not_freeze(scene, role):
    client = Client()
    client.force_login(someone(role))

    with nothing_moves():
        answer = client.post(path("wallet-freeze", scene), {"reason": "Because"})

    assert answer.status_code == 403
    assert path("wallet-freeze", scene) not in client.get(path("wallet", scene)).content.decode()


def test_when_a_statement_is_downloaded_then_it_is_a_file_and_the_look_is_recorded(staff, scene):
    answer = staff.get(path("wallet-statement", scene), {"month": f"{timezone.now():%Y-%m}", "format": "csv"})

    assert answer["Content-Type"].startswith("text/csv")
    assert b"-12.50" in b"".join(answer.streaming_content)
    assert AuditEntry.objects.filter(object_id=str(scene.alices_wallet), action="statement.viewed").exists()


def test_when_a_month_is_nonsense_then_the_page_says_so(staff, scene):
    answer = staff.get(path("wallet-statement", scene), {"month": "soon"}, follow=True)

    assert "A month is written as 2026-10." in answer.content.decode()


def test_when_things_happen_then_the_timeline_has_them_newest_first(staff, scene):
    staff.post(path("wallet-freeze", scene), {"reason": "Card stolen"})

    page = timeline(of(scene))

    titles = [(one.kind, one.title, one.amount) for one in page.happenings if one.kind != "webhooks"]
    assert titles[0] == ("staff", "Wallet suspended", None)
    assert ("money", "Transfer out", -1250) in titles
    moments = [one.at for one in page.happenings]
    assert moments == sorted(moments, reverse=True)


def test_when_the_timeline_is_paged_then_each_thing_comes_once(scene, monkeypatch):
    monkeypatch.setattr(timelines, "PAGE_SIZE", 3)
    for amount in range(1, 9):
        fund(scene.alices_wallet, amount)
    audit.record(actor="system", action="wallet.noticed", object_type="wallet", object_id=scene.alices_wallet)

    seen, cursor = [], None
    while True:
        page = timeline(of(scene), older_than=cursor)
        seen += [one.id for one in page.happenings]
        cursor = page.older_than
        if cursor is None:
            break

    monkeypatch.setattr(timelines, "PAGE_SIZE", 1000)
    assert set(seen) == {one.id for one in timeline(of(scene)).happenings}
    assert len(set(seen)) == len(seen) >= 11


def test_when_one_kind_is_asked_for_then_nothing_else_is_shown(scene):
    kinds = {
        kind: {one.kind for one in timeline(of(scene), kind=kind).happenings} for kind in timelines.KINDS
    }

    assert kinds["money"] == {"money"}
    assert all(found <= {kind} for kind, found in kinds.items())


def test_when_a_request_is_followed_then_all_that_it_caused_is_shown_together(scene):
    request = "request-of-support-1"
    client = ApiClient(someone("support"))
    client.post(
        f"/wallet/{scene.alices_wallet}/suspend", {"reason": "Card stolen"}, **{"x-request-id": request}
    )
    relay.publish_waiting()

    found = timeline(of(scene, request_id=request)).happenings

    assert {(one.kind, one.title) for one in found} >= {
        ("staff", "Wallet suspended"),
        ("webhooks", "wallet.suspended"),
    }
    assert {one.request_id for one in found} == {request}
    assert [one.follows_request for one in found] == [False] + [True] * (len(found) - 1)


def test_when_somebody_only_looks_then_the_timeline_tells_only_who_asks_for_it(staff, scene):
    staff.get(path("wallet", scene))

    assert "Screen viewed" not in {one.title for one in timeline(of(scene)).happenings}
    assert [one.title for one in timeline(of(scene), kind="looks").happenings] == ["Screen viewed"]


def test_when_the_timeline_of_another_is_read_then_it_holds_nothing_of_this_one(scene):
    with request_context(RequestContext(request_id="request-of-support-2")):
        audit.record(
            actor="system", action="wallet.noticed", object_type="wallet", object_id=scene.alices_wallet
        )

    theirs = Subject(user_id=scene.bob.id, wallet_ids=[scene.bobs_wallet], is_one_wallet=True)

    assert {one.title for one in timeline(theirs, kind="money").happenings} == {"Transfer in"}
    assert "Wallet noticed" not in {one.title for one in timeline(theirs).happenings}


@pytest.mark.parametrize("query", ["older_than=x", "until=never", "until=9999-99-99", "kind=x"])
def test_when_the_timeline_is_asked_for_nonsense_then_the_page_is_still_shown(staff, scene, query):
    assert staff.get(f"{path('wallet', scene)}?{query}").status_code == 200


def test_when_a_wallet_is_opened_then_each_list_of_what_is_its_own_is_a_click_away(staff, scene):
    links = dict(staff.get(f"/admin/wallets/{scene.alices_wallet}/").context["lists"])

    asked = f"?wallet_id={scene.alices_wallet}"
    assert list(links.values()) == [
        f"/admin/{name}/{asked}"
        for name in (
            "transactions",
            "payments",
            "provider-events",
            "payment-sessions",
            "top-up-rules",
            "top-up-schedules",
            "top-up-failures",
            "holds",
        )
    ]
    assert {staff.get(link).status_code for link in links.values()} == {200}
