"""What the tables themselves refuse, whoever asks."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from users.models import LoginAttempts, RefreshFamily, ServiceClient, SpentRefreshToken, User

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("attack", "constraint"),
    [
        (lambda user, client: User.objects.create(email=user.email), "user_email_unique"),
        (lambda user, client: User.objects.create(email="Carol@example.com"), "user_email_lower_case"),
        (lambda user, client: User.objects.create(email="x@example.com", role="owner"), "user_role_known"),
        (lambda user, client: User.objects.create(email="x@example.com", role="service"), "user_role_known"),
        (
            lambda user, client: ServiceClient.objects.create(client_id=client.client_id, scopes=[]),
            "service_client_id_unique",
        ),
        (
            lambda user, client: ServiceClient.objects.create(client_id="x", scopes=["refund:decide"]),
            "service_client_scopes_known",
        ),
        (
            lambda user, client: RefreshFamily.objects.create(expires_at=timezone.now()),
            "refresh_family_of_one_bearer",
        ),
        (
            lambda user, client: RefreshFamily.objects.create(
                user=user, client=client, expires_at=timezone.now()
            ),
            "refresh_family_of_one_bearer",
        ),
        (
            lambda user, client: RefreshFamily.objects.create(
                user=user, expires_at=timezone.now(), revoked_at=timezone.now()
            ),
            "refresh_family_revoked_for_a_reason",
        ),
        (
            lambda user, client: LoginAttempts.objects.create(
                subject="x", attempts=-1, window_started_at=timezone.now()
            ),
            "login_attempts_not_negative",
        ),
    ],
)
def test_when_a_row_breaks_a_rule_then_its_constraint_refuses_it(
    new_user: Any, new_client: Any, attack: Any, constraint: str
) -> None:
    user, client = new_user(), new_client()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        attack(user, client)

    assert (User.objects.count(), ServiceClient.objects.count()) == (1, 1)
    assert not RefreshFamily.objects.exists()


def test_when_a_refresh_token_is_spent_twice_then_its_primary_key_refuses_it(new_user: Any) -> None:
    family = RefreshFamily.objects.create(user=new_user(), expires_at=timezone.now())
    SpentRefreshToken.objects.create(jti=family.id, family=family)

    with pytest.raises(IntegrityError, match="users_spentrefreshtoken_pkey"), transaction.atomic():
        SpentRefreshToken.objects.create(jti=family.id, family=family)


def test_when_tables_are_searched_then_these_indexes_serve() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename LIKE 'users_%%'")
        indexes = {name for (name,) in cursor.fetchall()}

    assert {
        "user_email_unique",
        "user_by_role",
        "service_client_id_unique",
        "refresh_family_by_expiry",
        "login_attempts_by_window",
        "users_spentrefreshtoken_pkey",
    } < indexes
