"""Customers in the back office: masked until revealed, looked after with a reason, noted and tagged."""

import pytest
from django.test import Client
from django.urls import reverse

from backoffice.models import Note, Tag
from events import audit
from events.clock import now
from events.models import AuditEntry
from payments.models import AutoTopUp
from tests.backoffice.conftest import Scene
from tests.factories.books import nothing_moves
from tests.factories.cards import card_of
from tests.factories.holds import new_hold
from tests.factories.people import CustomerFactory, someone
from users.models import User


@pytest.fixture
def ada(db: None) -> User:
    """A customer with a name and an address to hide."""
    return CustomerFactory.create(email="ada.lovelace@example.com", name="Ada Lovelace")


def page(name: str, one: User) -> str:
    """Give the path of one of a customer's pages."""
    return reverse(f"backoffice:{name}", args=[one.id])


def shown(client: Client, path: str) -> str:
    """Read a page."""
    answer = client.get(path)
    assert answer.status_code == 200
    return str(answer.content.decode())


def done_to(one: User) -> list[tuple[str, str]]:
    """Read what was done to a customer and why; looking at pages left out."""
    entries = AuditEntry.objects.filter(object_id=str(one.id)).exclude(action__endswith=".viewed")
    return list(entries.order_by("id").values_list("action", "reason"))


@pytest.mark.parametrize("path", ["/admin/customers/", "the customer's"])
def test_when_a_customer_is_looked_at_then_name_and_address_are_masked(staff, ada, path):
    text = shown(staff, page("customer", ada) if path == "the customer's" else path)

    assert "a•••@example.com" in text
    assert "A••• L•••" in text
    assert "lovelace" not in text.lower()


def test_when_a_customer_is_revealed_then_they_are_shown_and_the_trail_says_why(staff, ada):
    answer = staff.post(page("customer-reveal", ada), {"reason": "The bank called"})

    assert answer["Location"] == page("customer", ada)
    assert "ada.lovelace@example.com" in shown(staff, page("customer", ada))
    assert done_to(ada) == [("user.revealed", "The bank called")]


def test_when_somebody_else_looks_then_what_was_revealed_is_masked_for_them(staff, ada):
    staff.post(page("customer-reveal", ada), {"reason": "The bank called"})
    colleague = Client()
    colleague.force_login(someone("support"))

    assert "lovelace" not in shown(colleague, page("customer", ada)).lower()


def test_when_ten_minutes_have_passed_then_the_customer_is_masked_again(staff, ada, monkeypatch):
    from backoffice import personal_data

    staff.post(page("customer-reveal", ada), {"reason": "The bank called"})
    monkeypatch.setattr(personal_data, "SHOWN_FOR_S", 600)
    later = personal_data.time.time() + 601
    monkeypatch.setattr(personal_data.time, "time", lambda: later)

    assert "a•••@example.com" in shown(staff, page("customer", ada))


def test_when_no_reason_is_given_then_nothing_is_revealed(staff, ada):
    staff.post(page("customer-reveal", ada), {"reason": "  "})

    assert "lovelace" not in shown(staff, page("customer", ada)).lower()
    assert done_to(ada) == []


@pytest.mark.parametrize(
    ("name", "action", "is_active"),
    [
        ("customer-deactivate", "user.deactivated", False),
        ("customer-reactivate", "user.reactivated", True),
        ("customer-sign-out", "user.sessions_revoked", True),
    ],
)
def test_when_a_customer_is_decided_on_then_it_is_done_once_for_a_form(staff, ada, name, action, is_active):
    form = {"reason": "Lost phone", "key": "01900000-0000-7000-8000-000000000001"}

    staff.post(page(name, ada), form)
    staff.post(page(name, ada), form)

    ada.refresh_from_db()
    assert ada.is_active is is_active
    assert done_to(ada) == [(action, "Lost phone")]


def test_when_no_reason_is_given_then_nobody_is_switched_off(staff, ada):
    staff.post(page("customer-deactivate", ada), {"reason": ""})

    ada.refresh_from_db()
    assert ada.is_active
    assert done_to(ada) == []


def test_when_an_address_is_corrected_then_the_trail_has_it(staff, ada):
    staff.post(page("customer-correct", ada), {"email": "ada@example.com", "reason": "A typing error"})

    ada.refresh_from_db()
    assert (ada.email, ada.name) == ("ada@example.com", "Ada Lovelace")
    assert done_to(ada) == [("user.corrected", "A typing error")]


def test_when_the_new_address_is_no_good_then_the_page_says_so_and_nothing_changes(staff, ada):
    answer = staff.post(
        page("customer-correct", ada), {"email": "nobody", "reason": "A typing error"}, follow=True
    )

    ada.refresh_from_db()
    assert ada.email == "ada.lovelace@example.com"
    assert 'class="messages"' in answer.content.decode()


def test_when_a_note_is_written_twice_with_one_form_then_it_stands_once(staff, ada):
    form = {"text": "Calls on Mondays <b>", "key": "01900000-0000-7000-8000-000000000002"}
    path = reverse("backoffice:note", args=["user", ada.id])

    staff.post(path, form)
    staff.post(path, form)

    assert [note.text for note in Note.objects.filter(object_id=ada.id)] == ["Calls on Mondays <b>"]
    assert "Calls on Mondays &lt;b&gt;" in shown(staff, page("customer", ada))
    assert done_to(ada) == [("user.noted", "")]


def test_when_two_customers_are_one_person_then_both_say_so_and_no_money_moves(staff, scene: Scene):
    path = reverse("backoffice:note", args=["user", scene.alice.id])
    money = (scene.alices_wallet, scene.bobs_wallet)

    staff.post(path, {"text": "Registered twice", "same_as": str(scene.bob.id)})

    notes = Note.objects.order_by("id").values_list("object_id", "same_as", "text")
    assert list(notes) == [
        (scene.alice.id, scene.bob.id, "Registered twice"),
        (scene.bob.id, scene.alice.id, "Registered twice"),
    ]
    assert page("customer", scene.alice) in shown(staff, page("customer", scene.bob))
    assert len(money) == 2


@pytest.mark.parametrize("other", ["nonsense", "oneself", "staff"])
def test_when_the_other_is_no_other_customer_then_no_note_is_written(staff, ada, other):
    ids = {"nonsense": "nonsense", "oneself": str(ada.id), "staff": str(someone("finance").id)}

    staff.post(reverse("backoffice:note", args=["user", ada.id]), {"text": "x", "same_as": ids[other]})

    assert not Note.objects.exists()


def test_when_a_customer_is_tagged_then_the_list_finds_them_by_it(staff, ada):
    CustomerFactory.create()
    path = reverse("backoffice:tag", args=["user", ada.id])

    staff.post(path, {"name": "  VIP  customer "})
    staff.post(path, {"name": "vip-customer"})

    assert list(Tag.objects.values_list("object_id", "name")) == [(ada.id, "vip-customer")]
    listed = shown(staff, "/admin/customers/?tag=vip-customer")
    assert listed.count("<tr>") == 2  # the head, and one customer
    staff.post(reverse("backoffice:untag", args=["user", ada.id]), {"name": "vip-customer"})
    assert not Tag.objects.exists()
    assert [action for action, _ in done_to(ada)] == ["user.tag_added", "user.tag_removed"]


def test_when_a_tag_is_no_word_then_it_is_refused(staff, ada):
    staff.post(reverse("backoffice:tag", args=["user", ada.id]), {"name": "<script>"})

    assert not Tag.objects.exists()


@pytest.mark.parametrize("role", ["finance", "auditor"])
def test_when_a_role_may_not_write_then_it_is_shown_no_form_and_changes_nothing(ada, role):
    client = Client()
    client.force_login(someone(role))

    text = shown(client, page("customer", ada))
    with nothing_moves():
        answer = client.post(page("customer-deactivate", ada), {"reason": "Because"})

    assert page("customer-deactivate", ada) not in text
    assert reverse("backoffice:note", args=["user", ada.id]) not in text
    assert answer.status_code == 403


def test_when_a_colleague_is_asked_for_as_a_customer_then_their_own_screen_is_shown(staff, ada):
    colleague = someone("finance")

    answer = staff.get(page("customer", colleague))

    assert (answer.status_code, answer["Location"]) == (302, f"/admin/users/user/{colleague.id}/change/")


def test_when_a_page_is_opened_then_the_look_is_recorded(staff, ada):
    shown(staff, page("customer", ada))

    assert AuditEntry.objects.filter(object_id=str(ada.id), action="screen.viewed").count() == 1


@pytest.mark.parametrize(("role", "may_read"), [("support", False), ("auditor", True)])
def test_when_a_role_may_not_read_the_trail_then_nothing_on_the_page_leads_there(ada, role, may_read):
    audit.record(actor="support:ann", action="user.corrected", object_type="user", object_id=ada.id)
    client = Client()
    client.force_login(someone(role))

    text = shown(client, page("customer", ada))

    assert "User corrected" in text
    assert ("/admin/events/auditentry/01" in text) is may_read


def test_when_something_is_under_way_then_the_customers_page_shows_it_and_how_the_top_up_goes(staff, scene):
    hold_id = new_hold(scene.alices_wallet, 1_250, currency="EUR")
    token = card_of(scene.alice)
    AutoTopUp.objects.create(
        wallet_id=scene.alices_wallet,
        token=token,
        amount=2_500,
        threshold=1_000,
        failures=2,
        created_at=now(),
        updated_at=now(),
    )

    page = staff.get(f"/admin/customers/{scene.alice.id}/")

    (thing,) = page.context["open_things"]
    assert (thing.id, thing.amount, thing.currency, thing.status) == (hold_id, 1_250, "EUR", "open")
    html = page.content.decode()
    assert f"/admin/holds/{hold_id}/" in html
    assert f"/admin/top-up-rules/{scene.alices_wallet}/" in html
    assert '<span class="state state-failing">failing</span>' in html
    assert staff.get(f"/admin/customers/{scene.bob.id}/").context["open_things"] == []
