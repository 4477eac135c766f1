"""Customers over the API: found, corrected, switched off and on, signed out; staff are none of them."""

import pytest
from uuid_utils.compat import uuid7

from events.models import AuditEntry
from tests.factories.calls import ApiClient
from tests.factories.money import fund, new_wallet
from tests.factories.people import CustomerFactory, someone
from users.sessions import continue_session, open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def support() -> ApiClient:
    """Somebody who looks after customers."""
    return ApiClient(someone("support"))


def trail_of(one) -> list[tuple[str, str, str]]:
    """Read what was done to a customer: what, how the state changed, why."""
    entries = AuditEntry.objects.filter(object_id=str(one.id), object_type="user").order_by("id")
    return [(entry.action, f"{entry.from_state}>{entry.to_state}", entry.reason) for entry in entries]


def test_when_customers_are_listed_then_staff_are_not_among_them(support):
    ada, colleague = CustomerFactory.create(), someone("finance")

    found = support.get("/admin/customers?limit=100").json()["results"]

    assert str(ada.id) in {one["id"] for one in found}
    assert str(colleague.id) not in {one["id"] for one in found}


def test_when_customers_are_narrowed_then_only_what_fits_is_listed(support):
    ada = CustomerFactory.create(is_active=False)
    CustomerFactory.create()

    by_email = support.get(f"/admin/customers?email={ada.email.upper()}").json()["results"]
    by_status = support.get("/admin/customers?status=inactive&limit=1").json()["results"]

    assert [one["id"] for one in by_email] == [one["id"] for one in by_status] == [str(ada.id)]
    assert set(by_email[0]) == {
        "id", "email", "name", "status", "time_zone", "locale", "created_at", "sessions_valid_from",
    }  # fmt: skip


def test_when_customers_are_paged_then_each_comes_once(support):
    newest_first = [str(CustomerFactory.create().id) for _ in range(3)][::-1]

    first = support.get("/admin/customers?limit=2").json()
    second = support.get("/admin/customers" + first["next"].partition("/admin/customers")[2]).json()

    assert [one["id"] for one in first["results"] + second["results"]][:3] == newest_first


@pytest.mark.parametrize(
    ("action", "status", "recorded"),
    [
        ("deactivate", "inactive", ("user.deactivated", "active>inactive", "lost phone")),
        ("reactivate", "active", ("user.reactivated", "active>active", "lost phone")),
        ("revoke-sessions", "active", ("user.sessions_revoked", "active>active", "lost phone")),
    ],
)
def test_when_a_customer_is_decided_on_then_the_trail_tells_why(support, action, status, recorded):
    ada = CustomerFactory.create()

    answer = support.post(f"/admin/customers/{ada.id}/{action}", {"reason": "lost phone"})

    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert trail_of(ada) == [recorded]


@pytest.mark.parametrize("action", ["deactivate", "revoke-sessions"])
def test_when_sessions_are_ended_then_their_refresh_tokens_are_refused(support, action):
    ada = CustomerFactory.create()
    pair = open_session(bearer=ada)

    support.post(f"/admin/customers/{ada.id}/{action}")

    with pytest.raises(Exception, match="invalid_token"):
        continue_session(refresh=pair.refresh)


def test_when_an_address_is_corrected_then_sessions_end_and_the_trail_has_both(support):
    ada = CustomerFactory.create(email="adda@example.com", name="Ada")
    pair = open_session(bearer=ada)

    answer = support.patch(
        f"/admin/customers/{ada.id}", {"email": " ADA@example.com ", "reason": "a typing error"}
    )

    assert (answer.status_code, answer.json()["email"], answer.json()["name"]) == (
        200,
        "ada@example.com",
        "Ada",
    )
    entry = AuditEntry.objects.get(object_id=str(ada.id), action="user.corrected")
    assert (entry.before, entry.after) == ({"email": "adda@example.com"}, {"email": "ada@example.com"})
    with pytest.raises(Exception, match="invalid_token"):
        continue_session(refresh=pair.refresh)


def test_when_only_the_name_is_corrected_then_the_customer_stays_logged_in(support):
    ada = CustomerFactory.create(name="Adda")
    pair = open_session(bearer=ada)

    answer = support.patch(f"/admin/customers/{ada.id}", {"name": "Ada"})

    assert answer.json()["name"] == "Ada"
    assert continue_session(refresh=pair.refresh).access


@pytest.mark.parametrize("bad", ["nobody", "taken@example.com", "x" * 250 + "@example.com"])
def test_when_the_new_address_is_no_good_then_nothing_changes(support, bad):
    CustomerFactory.create(email="taken@example.com")
    ada = CustomerFactory.create(email="ada@example.com")

    answer = support.patch(f"/admin/customers/{ada.id}", {"email": bad})

    ada.refresh_from_db()
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "email")
    assert ada.email == "ada@example.com"
    assert trail_of(ada) == []


@pytest.mark.parametrize("action", ["deactivate", "reactivate", "revoke-sessions"])
def test_when_a_colleague_is_named_then_there_is_no_such_customer(support, action):
    colleague = someone("admin")

    answer = support.post(f"/admin/customers/{colleague.id}/{action}")

    colleague.refresh_from_db()
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (colleague.is_active, colleague.tokens_valid_from) == (True, None)
    assert support.patch(f"/admin/customers/{colleague.id}", {"name": "x"}).status_code == 404
    assert support.get(f"/admin/customers/{colleague.id}").status_code == 404


def test_when_a_decision_is_sent_twice_with_one_key_then_it_is_made_once(support):
    ada, key = CustomerFactory.create(), str(uuid7())

    first = support.post(f"/admin/customers/{ada.id}/deactivate", key=key)
    second = support.post(f"/admin/customers/{ada.id}/deactivate", key=key)

    assert second.content == first.content
    assert second["Idempotent-Replayed"] == "true"
    assert len(trail_of(ada)) == 1


def test_when_a_customer_is_switched_off_then_their_money_stays(support):
    ada = CustomerFactory.create()
    wallet = new_wallet(owner=ada)
    fund(wallet, 700)

    support.post(f"/admin/customers/{ada.id}/deactivate")

    found = support.get(f"/admin/wallets?user_id={ada.id}").json()["results"]
    assert [(one["id"], one["balance"], one["status"]) for one in found] == [(str(wallet), 700, "active")]
    lines = support.get(f"/admin/transactions?wallet_id={wallet}").json()["results"]
    assert [one["amount"] for one in lines] == [700]
