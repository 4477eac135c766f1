"""What is done with people, and who looks at what is theirs, stands in the audit trail."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from uuid_utils.compat import uuid7

from events.models import AuditEntry
from tests.factories.calls import ApiClient
from tests.factories.money import new_wallet
from tests.factories.people import CustomerFactory, someone
from users.clients import create_service_client, rotate_secret
from users.models import StaffSession, User
from users.refusals import InvalidToken, NotFound
from users.registration import create_staff, register_customer
from users.sessions import close_session, continue_session, open_session
from users.standing import deactivate, reactivate, revoke_sessions

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def told(object_id: object) -> list[tuple[str, str, str, str, str]]:
    """What the trail tells of one thing, oldest first."""
    return list(
        AuditEntry.objects.filter(object_id=str(object_id))
        .order_by("id")
        .values_list("actor", "action", "from_state", "to_state", "reason")
    )


def test_when_a_customer_registers_then_the_trail_tells():
    user = register_customer(email=f"{uuid7()}@people.example", password=PASSWORD)

    assert told(user.id) == [(f"user:{user.id}", "user.created", "", "active", "")]
    assert AuditEntry.objects.get(object_id=str(user.id)).after == {"role": "user"}


def test_when_staff_and_clients_are_made_by_an_operator_then_the_trail_tells():
    person = create_staff(email=f"{uuid7()}@people.example", password=PASSWORD, role="finance")
    client = create_service_client(client_id=f"c-{uuid7()}", name="Shop", scopes=["wallet:read"]).client
    rotate_secret(client_id=client.client_id)

    assert told(person.id) == [("operator", "user.created", "", "active", "")]
    assert told(client.id) == [
        ("operator", "client.created", "", "active", ""),
        ("operator", "client.secret_rotated", "", "", ""),
    ]
    entry = AuditEntry.objects.get(object_id=str(client.id), action="client.created")
    assert entry.after == {"client_id": client.client_id, "scopes": ["wallet:read"]}


def test_when_the_command_makes_staff_then_the_trail_names_the_operator():
    email = f"{uuid7()}@people.example"

    call_command("create_staff", email, "--role", "support", "--generate-password", stdout=StringIO())

    assert told(User.objects.get(email=email).id)[0][:2] == ("operator", "user.created")


def test_when_a_person_s_standing_changes_then_the_trail_tells_who_did_it_and_why():
    user = CustomerFactory.create()

    deactivate(user_id=user.id, actor="admin:x", reason="stolen")
    reactivate(user_id=user.id, actor="admin:y", reason="found again")
    revoke_sessions(user_id=user.id, actor="admin:z", reason="to be safe")

    assert told(user.id) == [
        ("admin:x", "user.deactivated", "active", "inactive", "stolen"),
        ("admin:y", "user.reactivated", "inactive", "active", "found again"),
        ("admin:z", "user.sessions_revoked", "active", "active", "to be safe"),
    ]


def test_when_nobody_has_that_id_then_nothing_is_written_down():
    nobody = uuid7()

    with pytest.raises(NotFound):
        deactivate(user_id=nobody, actor="admin:x", reason="stolen")

    assert told(nobody) == []


def test_when_a_session_begins_and_ends_then_the_trail_tells_once_each():
    user = CustomerFactory.create()
    pair = open_session(bearer=user)
    close_session(refresh=pair.refresh)
    close_session(refresh=pair.refresh)

    entries = AuditEntry.objects.filter(actor=f"user:{user.id}", object_type="session").order_by("id")
    assert list(entries.values_list("action", "from_state", "to_state", "reason")) == [
        ("session.opened", "", "open", ""),
        ("session.ended", "open", "ended", "logout"),
    ]


def test_when_a_refresh_token_is_used_twice_then_the_trail_tells_that_it_ended_the_session():
    user = CustomerFactory.create()
    pair = open_session(bearer=user)
    continue_session(refresh=pair.refresh)

    with pytest.raises(InvalidToken):
        continue_session(refresh=pair.refresh)

    entry = AuditEntry.objects.get(actor=f"user:{user.id}", action="session.ended")
    assert entry.reason == "reuse"


def test_when_notices_are_chosen_then_the_trail_has_both_choices():
    user = CustomerFactory.create()
    before = user.notifications
    after = {"email": {**before["email"], "low_balance": False}}

    answer = ApiClient(user).put("/auth/me/notifications", after)

    entry = AuditEntry.objects.get(object_id=str(user.id), action="user.notices_chosen")
    assert answer.status_code == 200
    assert (entry.actor, entry.before, entry.after) == (f"user:{user.id}", before, after)


def test_when_staff_read_a_customer_s_wallet_then_the_trail_tells_and_customers_leave_no_trace():
    owner, person = CustomerFactory.create(), someone("support")
    wallet_id = new_wallet(owner=owner)
    written = len(told(wallet_id))

    ApiClient(owner).get(f"/wallet/{wallet_id}")
    ApiClient(person).get(f"/wallet/{uuid7()}")
    ApiClient(person).get(f"/wallet/{wallet_id}")

    entries = told(wallet_id)
    assert entries[written:] == [(f"support:{person.id}", "wallet.read", "", "", "")]
    assert AuditEntry.objects.filter(actor=f"support:{person.id}").count() == 1


def test_when_staff_list_with_a_filter_then_the_trail_tells_what_was_asked_for():
    owner, person = CustomerFactory.create(), someone("finance")

    ApiClient(person).get(f"/wallet?user_id={owner.id}")

    entry = AuditEntry.objects.get(actor=f"finance:{person.id}")
    assert (entry.action, entry.object_id) == ("wallet.read", "")
    assert entry.after == {"path": "/api/v1/wallet", "query": f"user_id={owner.id}"}


def test_when_staff_use_the_back_office_then_every_look_is_in_the_trail():
    person = create_staff(email=f"{uuid7()}@people.example", password=PASSWORD, role="support")
    customer = CustomerFactory.create()
    browser = Client()

    browser.post("/admin/login/?next=/admin/", {"username": person.email, "password": "wrong"})
    browser.post("/admin/login/?next=/admin/", {"username": person.email, "password": PASSWORD})
    browser.get(f"/admin/users/user/?q={customer.email}")
    browser.get(f"/admin/customers/{customer.id}/")
    browser.get(f"/admin/search/?q={customer.email}")
    browser.post("/admin/logout/")

    entries = AuditEntry.objects.filter(actor=f"support:{person.id}").order_by("id")
    session = str(StaffSession.objects.get(user=person).id)
    asked = customer.email.replace("@", "%40")
    assert [(entry.action, entry.object_type, entry.object_id, entry.after) for entry in entries] == [
        ("session.opened", "user", str(person.id), {"session": session, "device": ""}),
        ("list.viewed", "user", "", {"path": "/admin/users/user/", "query": f"q={asked}"}),
        (
            "screen.viewed",
            "user",
            str(customer.id),
            {"path": f"/admin/customers/{customer.id}/"},
        ),
        ("search.viewed", "everything", "", {"path": "/admin/search/", "query": f"q={asked}"}),
        ("session.ended", "user", str(person.id), {"session": session}),
    ]
