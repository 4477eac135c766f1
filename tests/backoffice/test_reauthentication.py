"""Decisions about money ask once more who decides; the form that was sent is kept, done once, and by nobody else."""

import re

import pytest
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from config.value_forms import Rate
from events.models import AuditEntry
from tests.factories.books import nothing_moves
from tests.factories.staff import PASSWORD, code_of, enrol, let_proof_grow_old, log_in, member
from tests.payments.customers import Customer
from tests.payments.refunding import ask_for, deposit_of
from users.models import StaffSession

ASKED = "Is it you?"


@pytest.fixture
def refund(committed):
    customer = Customer.with_wallet("USD")
    return ask_for(deposit_of(customer, 2500).transaction_id, 1000, by=customer)


@pytest.fixture
def finance(refund):
    return member("finance")


@pytest.fixture
def client(finance):
    """A browser in which finance logged in an hour ago, and has been busy since."""
    client = log_in(finance)
    let_proof_grow_old(finance)
    return client


def sent(page: str) -> dict[str, str]:
    """The hidden fields of the page's form."""
    main = page[page.index("<main") :]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', main))


def test_when_the_proof_is_old_then_the_form_waits_for_a_password_and_is_done_once(client, refund):
    path, key = f"/admin/refunds/{refund.id}/approve/", str(uuid7())

    asked = client.post(path, {"key": key, "next": "/admin/refunds/"})
    refund.refresh_from_db()
    before = refund.status
    form = sent(asked.content.decode())
    done = client.post(path, {**form, "proof": PASSWORD})

    assert ASKED in asked.content.decode()
    assert f'action="{path}"' in asked.content.decode()
    assert before == "pending"
    assert {name: form[name] for name in ("key", "next")} == {"key": key, "next": "/admin/refunds/"}
    assert done["Location"] == "/admin/refunds/"
    refund.refresh_from_db()
    assert refund.status == "approved"
    with nothing_moves():
        client.post(path, form)


def test_when_it_was_proved_then_the_next_minutes_ask_no_more(client, refund, settings):
    client.post(f"/admin/refunds/{refund.id}/reject/", {"proof": PASSWORD})
    client.post(f"/admin/refunds/{uuid7()}/approve/", {"proof": PASSWORD})

    soon = client.post(f"/admin/refunds/{uuid7()}/approve/")
    settings.STAFF_PROOF_LASTS_S = 0
    later = client.post(f"/admin/refunds/{uuid7()}/approve/")

    assert (soon.status_code, later.status_code) == (302, 200)


def test_when_the_proof_is_wrong_then_nothing_moves_and_the_form_is_still_there(client, finance, refund):
    path = f"/admin/refunds/{refund.id}/approve/"
    form = {"key": str(uuid7()), "next": "/admin/refunds/", "proof": "not my password"}

    answer = client.post(path, form)

    page = answer.content.decode()
    assert "neither your password nor a code" in page
    assert sent(page)["key"] == form["key"]
    assert "not my password" not in page
    refund.refresh_from_db()
    assert refund.status == "pending"
    entry = AuditEntry.objects.filter(actor=f"finance:{finance.id}").latest("id")
    assert (entry.action, entry.reason, entry.address) == (
        "login.failed",
        "wrong password or code",
        "127.0.0.1",
    )


def test_when_proofs_fail_too_often_then_even_the_right_one_waits_and_is_told_how_long(
    client, finance, refund, settings
):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": Rate(2, 600)}
    path = f"/admin/refunds/{refund.id}/approve/"
    for number in range(2):
        client.post(path, {"proof": "wrong"}, REMOTE_ADDR=f"198.51.100.{number}")

    answer = client.post(path, {"proof": PASSWORD}, REMOTE_ADDR="198.51.100.9")

    assert answer.status_code == 429
    assert 590 < int(answer["Retry-After"]) <= 600
    assert "wait 10 min. (rate_limited)" in answer.content.decode()
    refund.refresh_from_db()
    assert refund.status == "pending"
    locked = AuditEntry.objects.filter(action="login.locked", address="198.51.100.9")
    assert [entry.object_type for entry in locked] == ["login_proof"]


def test_when_a_stranger_fails_at_the_log_in_then_whoever_is_in_may_still_decide(
    client, finance, refund, settings
):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": Rate(2, 600)}
    for _ in range(4):
        Client(REMOTE_ADDR="192.0.2.1").post(
            "/admin/login/", {"username": finance.email, "password": "guess"}
        )

    client.post(f"/admin/refunds/{refund.id}/approve/", {"proof": PASSWORD}, REMOTE_ADDR="198.51.100.10")

    refund.refresh_from_db()
    assert refund.status == "approved"


def test_when_there_is_a_second_factor_then_its_code_proves_too_and_once(finance, refund):
    secret, _ = enrol(finance)
    client = log_in(finance)
    client.post("/admin/account/second-factor/show/", {"code": code_of(secret)})
    let_proof_grow_old(finance)
    path, code = f"/admin/refunds/{refund.id}/approve/", code_of(secret, later=1)

    used = client.post(path, {"proof": code_of(secret)})
    first = client.post(path, {"proof": code})
    let_proof_grow_old(finance)
    again = client.post(path, {"proof": code})

    assert ASKED in used.content.decode()
    assert first.status_code == 302
    assert ASKED in again.content.decode()


def test_when_many_are_decided_then_each_marked_row_is_kept(client, refund):
    rows = [str(refund.id), str(uuid7())]

    page = client.post("/admin/refunds/decide/", {"chosen": rows, "decision": "approve"}).content.decode()

    assert re.findall(r'name="chosen" value="([^"]+)"', page) == rows
    assert 'name="decision" value="approve"' in page


def test_when_the_form_holds_markup_then_it_stays_text(client, refund):
    page = client.post(f"/admin/refunds/{refund.id}/approve/", {"reason": '"><b>x</b>'}).content.decode()

    assert 'value="&quot;&gt;&lt;b&gt;x&lt;/b&gt;"' in page


def test_when_the_session_is_fresh_then_nobody_is_asked(finance, refund):
    client = log_in(finance)

    client.post(f"/admin/refunds/{refund.id}/approve/")

    refund.refresh_from_db()
    assert refund.status == "approved"
    assert timezone.now() > StaffSession.objects.get(user=finance).proved_at
