"""Holds and saved cards in the back office: found by what they are, never by a whole number; a hold is voided."""

import csv
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from uuid_utils.compat import uuid7

from backoffice.models import Export, SavedView
from events.clock import now
from events.models import AuditEntry
from tests.factories.books import nothing_moves
from tests.factories.cards import card_of
from tests.factories.holds import capture, hold_now, money_of, new_hold
from tests.factories.money import new_wallet
from tests.factories.people import CustomerFactory, someone
from tokens.models import DELETED, PaymentToken
from transactions.models import Hold


def browser_of(role: str) -> Client:
    client = Client()
    client.force_login(someone(role))
    return client


def listed(client: Client, path: str, **query: object) -> list[object]:
    return [row.pk for row in client.get(path, query).context["page"].rows]


def filed(client: Client, path: str, **query: object) -> list[dict[str, str]]:
    answer = client.get(path, query)
    return list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))


@pytest.fixture
def wallet(db: None) -> UUID:
    return new_wallet(10_000, owner=CustomerFactory.create())


def test_when_holds_are_narrowed_then_those_whose_time_is_over_count_as_expired(wallet):
    kept = new_hold(wallet, 1_200, reference="order-7")
    over = new_hold(wallet, 300)
    Hold.objects.filter(id=over).update(expires_at=now() - timedelta(minutes=1))
    client, asked = browser_of("finance"), {"wallet_id": wallet}

    (row,) = filed(client, "/admin/holds/file/", status="expired", **asked)

    assert listed(client, "/admin/holds/", **asked) == [over, kept]
    assert listed(client, "/admin/holds/", status="open", **asked) == [kept]
    assert listed(client, "/admin/holds/", status="expired", **asked) == [over]
    assert listed(client, "/admin/holds/", status="voided", **asked) == []
    assert listed(client, "/admin/holds/", reference="order-7", **asked) == [kept]
    assert listed(client, "/admin/holds/", currency="USD", amount_from="10", **asked) == [kept]
    assert (row["id"], row["status"], row["amount"], row["captured"]) == (
        str(over),
        "expired",
        "3.00",
        "0.00",
    )


def test_when_a_hold_is_opened_then_its_captures_and_what_is_left_are_on_the_page(wallet):
    hold_id = new_hold(wallet, 1_200)
    capture(wallet, hold_id, 450)

    page = browser_of("auditor").get(f"/admin/holds/{hold_id}/")

    assert (page.context["status"], page.context["left"]) == ("open", 750)
    assert [line.amount for line in page.context["captures"]] == [-450]
    html = page.content.decode()
    assert f"/admin/wallets/{wallet}/" in html
    assert f"/admin/holds/{hold_id}/void/" not in html


def test_when_support_voids_a_hold_then_the_money_is_free_and_the_trail_says_why(wallet):
    hold_id = new_hold(wallet, 1_200)
    capture(wallet, hold_id, 450)
    client, path = browser_of("support"), f"/admin/holds/{hold_id}/"
    form = {"key": client.get(path).context["key"], "reason": "The shop has closed"}

    answers = [client.post(f"{path}void/", form) for _ in range(2)]

    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, path)] * 2
    assert (hold_now(hold_id).status, money_of(wallet)) == ("voided", (9_550, 0))
    entry = AuditEntry.objects.get(object_id=str(hold_id), action="hold.voided")
    assert (entry.reason, entry.actor.partition(":")[0]) == ("The shop has closed", "support")


def test_when_a_hold_is_closed_then_voiding_is_refused(wallet):
    hold_id = new_hold(wallet, 1_200)
    capture(wallet, hold_id)
    client = browser_of("admin")

    with nothing_moves():
        answer = client.post(f"/admin/holds/{hold_id}/void/", {"reason": "Late"}, follow=True)

    assert hold_now(hold_id).status == "captured"
    assert 'class="error"' in answer.content.decode()


def test_when_no_reason_is_given_then_the_hold_stays(wallet):
    hold_id = new_hold(wallet, 1_200)
    client = browser_of("support")

    with nothing_moves():
        answer = client.post(f"/admin/holds/{hold_id}/void/", follow=True)

    assert "Say why, in up to 500 characters." in answer.content.decode()
    assert hold_now(hold_id).status == "open"


@pytest.mark.parametrize("role", ["finance", "auditor"])
def test_when_a_role_may_not_manage_wallets_then_it_voids_nothing(wallet, role):
    hold_id = new_hold(wallet, 1_200)
    client = browser_of(role)

    with nothing_moves():
        answer = client.post(f"/admin/holds/{hold_id}/void/", {"reason": "Mine"})

    assert (answer.status_code, hold_now(hold_id).status) == (403, "open")


@pytest.mark.parametrize("method", ["get", "post"])
def test_when_there_is_no_such_hold_then_its_page_is_missing(db, method):
    path = f"/admin/holds/{uuid7()}/{'void/' if method == 'post' else ''}"

    assert getattr(browser_of("admin"), method)(path, {"reason": "x"}).status_code == 404


@pytest.fixture
def cards(db: None) -> dict[str, PaymentToken]:
    """Three cards of one customer: one to charge, one whose month is over, one that was deleted."""
    owner = CustomerFactory.create()
    facts = {
        "active": {},
        "expired": {"exp_year": 2020},
        "deleted": {"status": DELETED, "deleted_at": now()},
    }
    return {name: card_of(owner, **changes) for name, changes in facts.items()}


@pytest.mark.parametrize("status", ["active", "expired", "deleted"])
def test_when_cards_are_narrowed_by_their_state_then_list_and_file_agree(cards, status):
    client, asked = browser_of("finance"), {"user_id": cards["active"].user_id, "status": status}

    (row,) = filed(client, "/admin/cards/file/", **asked)

    assert listed(client, "/admin/cards/", **asked) == [cards[status].id]
    assert (row["id"], row["status"], row["last4"]) == (str(cards[status].id), status, "4242")
    assert not {"number", "provider_ref", "provider_ref_hmac"} & set(row)


def test_when_cards_are_looked_for_by_four_digits_then_no_number_and_no_sealed_column_is_shown(cards):
    client = browser_of("support")

    page = client.get("/admin/cards/", {"last4": "4242", "user_id": cards["active"].user_id})

    html = page.content.decode()
    assert "Visa ···· 4242" in html
    assert all("provider_ref" in row.get_deferred_fields() for row in page.context["page"].rows)
    assert f"/admin/payments/?token_id={cards['active'].id}" in html


@pytest.mark.parametrize("digits", ["42424", "4242424242424242", "42", "abcd"])
def test_when_more_or_less_than_four_digits_are_asked_for_then_it_is_refused(cards, digits):
    page = browser_of("support").get("/admin/cards/", {"last4": digits})

    assert page.status_code == 400
    assert page.context["page"].rows == []


NUMBER = "4242 4242 4242 4242"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/admin/cards/", {"last4": NUMBER}),
        ("/admin/transfers/", {"reference": NUMBER}),
        ("/admin/search/", {"q": NUMBER}),
        ("/admin/search/", {"q": NUMBER.replace(" ", "")}),
    ],
)
def test_when_somebody_types_a_whole_number_then_it_is_written_down_nowhere(db, path, query):
    browser_of("support").get(path, query)

    latest = AuditEntry.objects.latest("id")
    assert (latest.after["path"], "4242" in str(latest.after)) == (path, False)
    assert "card" in latest.after["query"]


def test_when_a_view_or_a_file_would_hold_a_whole_number_then_it_is_refused(db):
    client, asked = browser_of("finance"), {"query": f"reference={NUMBER.replace(' ', '+')}", "name": "Mine"}

    client.post("/admin/views/transfers/keep/", asked)
    answer = client.post("/admin/files/of/transfers/", asked)

    assert (SavedView.objects.count(), Export.objects.count()) == (0, 0)
    assert answer.status_code == 404
