"""Who gets into the back office, and what it shows of people."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth import authenticate
from django.test import Client
from uuid_utils.compat import uuid7

from config.value_forms import Rate
from tests.users.conftest import PASSWORD, hash_of
from users.models import User
from users.principals import Principal
from users.refusals import PermissionDenied
from users.roles import ROLES
from users.standing import staff_member

pytestmark = pytest.mark.django_db
STAFF = ["support", "finance", "auditor", "admin"]


@pytest.mark.parametrize("role", STAFF)
def test_when_staff_log_in_then_they_see_and_change_nothing(new_user: Any, role: str) -> None:
    person = new_user(email="fin@example.com", role=role)

    found = authenticate(username="Fin@example.com", password=PASSWORD)

    assert found == person
    assert found.has_module_perms("users")
    assert found.has_perm("wallets.view_wallet")
    assert not any(found.has_perm(f"wallets.{action}_wallet") for action in ("add", "change", "delete"))


@pytest.mark.parametrize(
    ("fields", "password"),
    [
        ({"role": "user"}, PASSWORD),
        ({"role": "admin", "is_active": False}, PASSWORD),
        ({"role": "admin"}, "something else altogether"),
    ],
)
def test_when_somebody_else_tries_then_the_back_office_stays_shut(
    new_user: Any, fields: dict[str, Any], password: str
) -> None:
    person = new_user(**fields)

    assert authenticate(username=person.email, password=password) is None


def test_when_staff_fail_too_often_then_the_right_password_waits(
    new_user: Any, settings: LazySettings
) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": Rate(1, 600)}
    person = new_user(role="admin")
    first = authenticate(username=person.email, password="something else altogether")

    second = authenticate(username=person.email, password=PASSWORD)

    assert (first, second) == (None, None)


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "user"}])
def test_when_staff_lose_their_standing_then_their_open_session_ends(
    client: Client, new_user: Any, change: dict[str, Any]
) -> None:
    person = new_user(role="admin")
    client.force_login(person)
    before = client.get("/admin/users/user/")
    User.objects.filter(id=person.id).update(**change)

    after = client.get("/admin/users/user/")

    assert (before.status_code, after.status_code) == (200, 302)
    assert after["Location"].startswith("/admin/login/")


def test_when_colleagues_are_looked_up_then_an_id_or_an_address_finds_them_without_their_hash(
    client: Client, new_user: Any
) -> None:
    carol = new_user(email="carol@example.com", name="Carol", role="finance")
    new_user(email="dave@example.com", name="Dave", role="finance")
    new_user(email="mallory@example.com", name="Mallory")
    client.force_login(new_user(role="support"))

    lists = [
        client.get("/admin/users/user/", {"q": term}).content.decode() for term in (carol.id, carol.email)
    ]
    page = client.get(f"/admin/users/user/{carol.id}/change/").content.decode()

    assert ["Carol" in shown for shown in lists] == [True, True]
    assert "Mallory" not in client.get("/admin/users/user/").content.decode()
    assert ["Dave" in shown for shown in lists] == [False, False]
    assert "carol@example.com" in page
    assert hash_of(PASSWORD) not in page
    assert "argon2" not in page


def test_when_a_person_is_posted_to_then_nothing_changes(client: Client, new_user: Any) -> None:
    carol = new_user(email="carol@example.com", role="support")
    client.force_login(new_user(role="admin"))

    answer = client.post(
        f"/admin/users/user/{carol.id}/change/", {"email": "eve@example.com", "role": "admin"}
    )

    assert answer.status_code == 403
    carol.refresh_from_db()
    assert (carol.email, carol.role) == ("carol@example.com", "support")


@pytest.mark.parametrize(
    ("role", "status"), [("admin", 200), ("auditor", 200), ("support", 403), ("finance", 403)]
)
def test_when_service_clients_are_looked_at_then_only_those_who_answer_for_them_may(
    client: Client, new_user: Any, new_client: Any, role: str, status: int
) -> None:
    shop = new_client(client_id="shop")
    client.force_login(new_user(role=role))

    page = client.get(f"/admin/users/serviceclient/{shop.id}/change/")

    assert page.status_code == status
    assert "argon2" not in page.content.decode()


def test_when_staff_decide_about_money_then_the_person_is_read_again(new_user: Any) -> None:
    person = new_user(role="finance")
    principal = Principal(id=person.id, role="finance", permissions=ROLES["finance"])

    assert staff_member(principal=principal, permission="refund:decide") == person


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"role": "user"}, {"role": "support"}, {"id": None}]
)
def test_when_the_token_is_of_better_days_then_the_decision_is_refused(
    new_user: Any, change: dict[str, Any]
) -> None:
    person = new_user(role="finance")
    principal = Principal(
        id=person.id if "id" not in change else uuid7(), role="finance", permissions=ROLES["finance"]
    )
    User.objects.filter(id=person.id).update(
        **{name: value for name, value in change.items() if name != "id"}
    )

    with pytest.raises(PermissionDenied):
        staff_member(principal=principal, permission="refund:decide")
