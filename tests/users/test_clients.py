"""Service clients and staff, made by an operator."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.users.conftest import PASSWORD
from users.clients import create_service_client
from users.models import ServiceClient, User
from users.refusals import InvalidInput, InvalidToken, WrongLogin
from users.registration import create_staff
from users.roles import ROLES
from users.sessions import continue_session
from users.signing_in import log_in_client, person_with

pytestmark = pytest.mark.django_db


def told(*arguments: str) -> dict[str, str]:
    """Run a command; read the `name=value` lines that it prints."""
    out = StringIO()
    call_command(*arguments, stdout=out)
    return dict(line.split("=", 1) for line in out.getvalue().splitlines())


def test_when_a_client_is_created_then_its_secret_is_told_once_and_kept_as_a_hash() -> None:
    lines = told("create_service_client", "shop-backend", "--scope", "wallet:read")

    client = ServiceClient.objects.get()
    assert (client.client_id, client.name, client.scopes) == ("shop-backend", "shop-backend", ["wallet:read"])
    assert client.secret_hash.startswith("argon2$argon2id$")
    assert len(lines["client_secret"]) == 43
    assert (
        log_in_client(client_id="shop-backend", client_secret=lines["client_secret"], address="").expires_in_s
        == 900
    )


def test_when_no_scope_is_named_then_the_client_gets_all_of_the_role() -> None:
    told("create_service_client", "shop-backend", "--name", "Shop")

    client = ServiceClient.objects.get()
    assert (client.name, frozenset(client.scopes)) == ("Shop", ROLES["service"])


def test_when_the_secret_is_rotated_then_the_old_one_and_its_sessions_are_dead() -> None:
    old = told("create_service_client", "shop-backend")["client_secret"]
    session = log_in_client(client_id="shop-backend", client_secret=old, address="")

    new = told("create_service_client", "shop-backend", "--rotate-secret")["client_secret"]

    with pytest.raises(WrongLogin):
        log_in_client(client_id="shop-backend", client_secret=old, address="")
    with pytest.raises(InvalidToken):
        continue_session(refresh=session.refresh)
    assert log_in_client(client_id="shop-backend", client_secret=new, address="").expires_in_s == 900


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"client_id": "taken"}, "client_id"),
        ({"client_id": "Has Spaces"}, "client_id"),
        ({"client_id": "x"}, "client_id"),
        ({"client_id": "fresh", "scopes": ["wallet:read", "refund:decide"]}, "scopes"),
    ],
)
def test_when_a_client_can_not_be_then_it_is_refused(
    new_client: Any, given: dict[str, Any], field: str
) -> None:
    new_client(client_id="taken")

    with pytest.raises(InvalidInput) as refused:
        create_service_client(name="Shop", **given)

    assert refused.value.field == field
    assert ServiceClient.objects.count() == 1


def test_when_the_client_is_unknown_then_the_command_says_so() -> None:
    with pytest.raises(CommandError, match="There is no service client nobody"):
        told("create_service_client", "nobody", "--rotate-secret")


def test_when_staff_is_created_then_the_password_is_told_once_and_opens_the_account() -> None:
    lines = told(
        "create_staff", "Fin@example.com", "--role", "finance", "--name", "Fin", "--generate-password"
    )

    user = User.objects.get()
    assert (user.email, user.role, user.name, user.is_staff) == ("fin@example.com", "finance", "Fin", True)
    assert person_with(email="fin@example.com", password=lines["password"], address="") == user


def test_when_a_customer_role_is_asked_for_staff_then_it_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        create_staff(email="fin@example.com", password=PASSWORD, role="user")

    assert refused.value.field == "role"
    assert not User.objects.exists()
